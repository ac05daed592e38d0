"""Experts with a contrastive branch beside them."""

from torch import Tensor

from mmlt.arguments import number
from mmlt.models.classifiers.multi_expert import MultiExpertClassifier
from mmlt.models.contrast import MomentumContrast


class ContrastingExperts(MultiExpertClassifier):
    """Experts that, if wanted, also tell the images of a batch apart; at test time nothing of it is used.

    Args:
        contrast: keywords of `MomentumContrast` (`dim`, `queue_size`, `temperature`, `momentum`), which needs one extra
            view of each image; None for no such branch.
        contrast_weight: weight of its loss.
        backbone, head, loss, data_preprocessor: as `MultiExpertClassifier`.
    """

    def __init__(
        self,
        backbone: dict,
        head: dict,
        contrast: dict | None = None,
        contrast_weight: float = 1.0,
        loss: dict | None = None,
        data_preprocessor: dict | None = None,
    ) -> None:
        super().__init__(backbone, head, loss, data_preprocessor=data_preprocessor)
        self.contrast_weight = number(self, 'contrast_weight', contrast_weight, least=0)
        self.contrast = None
        if contrast is not None:
            self.contrast = MomentumContrast(self.backbone, head['in_channels'], self.num_experts, **contrast)

    @property
    def views(self) -> int:
        """Two with the contrastive branch, else one."""
        return 1 if self.contrast is None else 2

    def losses(self, images: Tensor, target: Tensor) -> dict[str, Tensor]:
        """Those of `expert_losses`, and `loss_contrast` of a second view with the contrastive branch."""
        views = images.chunk(self.views)
        outputs = self.expert_outputs(views[0])
        losses = self.expert_losses(outputs, target)
        if self.contrast is not None:
            losses['loss_contrast'] = self.contrast_weight * self.contrast(outputs.features, views[1], target)
        return losses
