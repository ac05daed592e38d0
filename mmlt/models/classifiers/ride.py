"""RIDE: routing diverse distribution-aware experts (Wang et al., ICLR 2021), without the routing."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mmlt.errors import UserError
from mmlt.models.classifiers.distillation import Taught
from mmlt.models.classifiers.multi_expert import ExpertOutputs, MultiExpertClassifier
from mmlt.models.heads import Outputs
from mmlt.models.losses import diversity_loss, diversity_temperatures
from mmlt.registry import MODELS


@MODELS.register_module()
class RIDEClassifier(MultiExpertClassifier):
    """Experts that learn by LDAM each, and are driven apart from their mean.

    The loss is the sum over the experts of LDAM, class-weighted from `reweighting.start_epoch` on, and of
    `diversity * tbar ** 2 * KL(mean || expert)` (`mmlt.models.losses.diversity_loss`). From that epoch on each class has
    its own temperature in the divergence, before it 1. The prediction is the mean of the experts' raw logits.

    Not built: the second stage, which learns how few experts an image needs; it saves time and gives no accuracy.

    Args:
        backbone: config of a `MultiExpertBackbone`.
        head: config of a `CosineHead` without its scale.
        scale: inverse temperature of the cosines; the heads apply it, and the margins are scaled with it.
        max_margin: LDAM's margin of the smallest class.
        diversity: factor on the divergence; below 0 it drives the experts apart.
        eta: how strongly a class's temperature follows its prior, in [0, 1).
        reweighting: keywords of `ClassReweighting` (`beta`, `start_epoch`); None for no weights and no temperatures.
        data_preprocessor: as `LongTailedClassifier`.

    Raises:
        UserError: the head has a scale of its own, or `eta` is outside [0, 1).

    Source: Wang et al., Long-tailed Recognition by Routing Diverse Distribution-Aware Experts, ICLR 2021, and its code.
    """

    def __init__(
        self,
        backbone: dict,
        head: dict,
        scale: float = 30.0,
        max_margin: float = 0.5,
        diversity: float = -0.45,
        eta: float = 0.05,
        reweighting: dict | None = None,
        data_preprocessor: dict | None = None,
    ) -> None:
        if 'scale' in head:
            raise UserError("RIDE scales heads and margins alike: set model.scale and leave out the head's own scale.")
        if not 0 <= eta < 1:
            raise UserError(f"RIDE's eta lies in [0, 1), not at {eta}.")
        super().__init__(
            backbone,
            {**head, 'scale': scale},
            dict(type='LDAMLoss', max_margin=max_margin, scale=scale),
            reweighting,
            data_preprocessor,
        )
        self.scale = scale
        self.diversity = diversity
        self.eta = eta

    def expert_losses(self, outputs: ExpertOutputs, target: Tensor) -> dict[str, Tensor]:
        """`loss_cls`, LDAM summed over the experts, and `loss_diversity`."""
        cosines = outputs.logits / self.scale  # what the LDAM loss takes
        losses = [self.classification_loss(cosine, target) for cosine in cosines.unbind(1)]
        temperatures = None
        if self.reweighting is not None and self.reweighting.active:
            temperatures = diversity_temperatures(self.class_counts.float(), self.eta)
        return {
            'loss_cls': torch.stack(losses).sum(),
            'loss_diversity': self.diversity * diversity_loss(outputs.logits, temperatures),
        }


@MODELS.register_module()
class RIDEDistillationClassifier(Taught, RIDEClassifier):
    """RIDE whose ensemble also learns from that of a larger one, by default six experts into three.

    The distillation heads compare the two ensembles' mean logits. The authors' loop adds RIDE's whole loss and the
    distillation once for every expert, E times in all; here both count once, which divides their loss by E and leaves
    their proportion as it is.

    Args:
        distill_heads: configs of distillation heads; `LogitDistillHead` with the temperature 1.5 and the weight 1 is
            the authors'.
        backbone, head, scale, max_margin, diversity, eta, reweighting, data_preprocessor: as `RIDEClassifier`.
    """

    def __init__(
        self,
        backbone: dict,
        head: dict,
        distill_heads: Sequence[dict] = (),
        scale: float = 30.0,
        max_margin: float = 0.5,
        diversity: float = -0.45,
        eta: float = 0.05,
        reweighting: dict | None = None,
        data_preprocessor: dict | None = None,
    ) -> None:
        super().__init__(backbone, head, scale, max_margin, diversity, eta, reweighting, data_preprocessor)
        self.distill_heads = nn.ModuleList(MODELS.build(cfg) for cfg in distill_heads)

    def losses(self, images: Tensor, target: Tensor) -> dict[str, Tensor]:
        """RIDE's losses and each distillation head's."""
        experts = self.expert_outputs(images)
        ensemble = Outputs(experts.features.mean(dim=1), self.combine(experts.logits))
        return {**self.expert_losses(experts, target), **self.distillation_losses(ensemble, images, target)}
