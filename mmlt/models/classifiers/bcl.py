"""BCL: a classifier and a balanced contrastive branch on one backbone."""

from collections.abc import Sequence

from mmlt.models.classifiers.base import LongTailedClassifier
from mmlt.registry import MODELS


@MODELS.register_module()
class BCLClassifier(LongTailedClassifier):
    """Balanced contrastive learning: the first of three views is classified, the other two are compared
    (`BalancedContrast`).

    Source: Zhu et al., Balanced Contrastive Learning for Long-Tailed Visual Recognition, CVPR 2022, and its code.

    Args:
        projector: keywords of `Projector`, for the features and, another one, for the prototypes.
        loss: config of the classification loss; the paper's is balanced softmax.
        contrast_weight: factor on the contrastive loss.
        temperature: of the similarities.
        terms: further terms.
        **others: as `LongTailedClassifier`; the head needs a `weight` (K, C): `LinearHead` or `CosineHead`.
    """

    def __init__(
        self,
        projector: dict,
        loss: dict | None = None,
        contrast_weight: float = 0.35,
        temperature: float = 0.07,
        terms: Sequence[dict] = (),
        **others,  # noqa: ANN003
    ) -> None:
        contrast = dict(type='BalancedContrast', projector=projector, weight=contrast_weight, temperature=temperature)
        super().__init__(loss=loss or dict(type='BalancedSoftmaxLoss'), terms=[contrast, *terms], **others)
