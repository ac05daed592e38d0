"""BCL: a classifier and a balanced contrastive branch on one backbone."""

from torch import Tensor

from mmlt.errors import UserError
from mmlt.models.classifiers.base import LongTailedClassifier
from mmlt.models.losses import balanced_contrastive_loss
from mmlt.models.projection import Projector
from mmlt.registry import MODELS


@MODELS.register_module()
class BCLClassifier(LongTailedClassifier):
    """Balanced contrastive learning: the first of three views is classified, the other two are compared.

    Class prototypes, projected from the classifier's weights by an MLP of their own, stand among the keys. Projectors and
    prototypes are gone at test time. Each rank compares its own images.

    Source: Zhu et al., Balanced Contrastive Learning for Long-Tailed Visual Recognition, CVPR 2022, and its code, from
    which two details come: all three views pass through the network together, the first through the projector too, whose
    batch normalisation sees it; the weights are projected as they are, also of a cosine classifier.

    Args:
        backbone, neck, reweighting, data_preprocessor: as `LongTailedClassifier`.
        head: config of a head with `weight` (K, C): `LinearHead` or `CosineHead`.
        projector: keywords of `Projector`, for the features and, another one, for the prototypes.
        loss: config of the classification loss; the paper's is balanced softmax.
        contrast_weight: factor on the contrastive loss.
        temperature: of the similarities.

    Raises:
        UserError: the head has no weights to make prototypes of.
    """

    views = 3

    def __init__(
        self,
        backbone: dict,
        head: dict,
        projector: dict,
        loss: dict | None = None,
        contrast_weight: float = 0.35,
        temperature: float = 0.07,
        neck: dict | None = None,
        reweighting: dict | None = None,
        data_preprocessor: dict | None = None,
    ) -> None:
        super().__init__(backbone, head, loss or dict(type='BalancedSoftmaxLoss'), neck, reweighting, data_preprocessor)
        if not hasattr(self.head, 'weight'):
            raise UserError(f'BCLClassifier makes prototypes of the weights of its head; {type(self.head).__name__} has none.')
        self.projector = Projector(**projector)
        self.prototype_projector = Projector(**projector)
        self.contrast_weight = contrast_weight
        self.temperature = temperature

    def losses(self, images: Tensor, target: Tensor) -> dict[str, Tensor]:
        """`loss_cls` and `loss_contrast` of three views (3 B, 3, H, W)."""
        size = len(target)
        outputs = self.outputs(images)
        contrast = balanced_contrastive_loss(
            self.projector(outputs.features)[size:],
            target.repeat(2),
            self.prototype_projector(self.head.weight),
            self.temperature,
        )
        return {
            'loss_cls': self.classification_loss(outputs.logits[:size], target),
            'loss_contrast': self.contrast_weight * contrast,
        }
