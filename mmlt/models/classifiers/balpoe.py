"""BalPoE: a balanced product of calibrated experts (Sanchez Aimar et al., CVPR 2023)."""

from collections.abc import Sequence

from torch import Tensor

from mmlt.errors import UserError
from mmlt.models.classifiers.mixing import Mixes
from mmlt.models.classifiers.multi_expert import ExpertOutputs, MultiExpertClassifier
from mmlt.models.losses import balpoe_loss
from mmlt.registry import MODELS


@MODELS.register_module()
class BalPoEClassifier(Mixes, MultiExpertClassifier):
    """Experts with logit adjustments of different strength, trained on mixed images, which calibrates them.

    The loss is the mean of the experts' logit-adjusted losses. The prediction, the mean of their raw logits, is unbiased
    where the mean of `taus` is 1.

    Args:
        backbone: config of a `MultiExpertBackbone`.
        head: config of one expert's head.
        taus: strength of the prior in each expert's loss.
        mixing: config of a `Mixing`, mixup in the paper; None for the images as they are.
        data_preprocessor: as `LongTailedClassifier`.

    Raises:
        UserError: `taus` does not name one number for each expert.

    Source: Sanchez Aimar et al., Balanced Product of Calibrated Experts for Long-Tailed Recognition, CVPR 2023, and its
    code. There one share mixes the whole batch; here every image has its own.
    """

    def __init__(
        self,
        backbone: dict,
        head: dict,
        taus: Sequence[float] = (0.0, 1.0, 2.0),
        mixing: dict | None = None,
        data_preprocessor: dict | None = None,
    ) -> None:
        super().__init__(backbone, head, data_preprocessor=data_preprocessor)
        if len(taus) != self.num_experts:
            raise UserError(
                f'BalPoE needs one tau for each of its {self.num_experts} experts: correct '
                f'model.taus={list(taus)}.'
            )
        self.taus = tuple(taus)
        self.build_mixing(mixing)

    def classification_loss(self, logits: Tensor, target: Tensor, sample_weights: Tensor | None = None) -> Tensor:
        """BalPoE's loss (scalar) of the experts' logits (B, E, K), target (B,) and sample weights (B,)."""
        return balpoe_loss(logits, target, self.class_counts, self.taus, sample_weights)

    def training_logits(self, images: Tensor) -> Tensor:
        """The experts' logits (B, E, K): the loss takes them together."""
        return self.expert_outputs(images).logits

    def expert_losses(self, outputs: ExpertOutputs, target: Tensor) -> dict[str, Tensor]:
        """`loss_cls`, the mean of the experts' losses on images that are not mixed."""
        return {'loss_cls': self.classification_loss(outputs.logits, target)}
