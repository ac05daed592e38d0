"""RIDE: routing diverse distribution-aware experts (Wang et al., ICLR 2021), without the routing."""

from collections.abc import Sequence

from mmlt.errors import UserError
from mmlt.models.classifiers.multi_expert import MultiExpertClassifier
from mmlt.registry import MODELS


@MODELS.register_module()
class RIDEClassifier(MultiExpertClassifier):
    """Experts that learn by LDAM each, and are driven apart from their mean.

    The loss is the sum over the experts of LDAM, class-weighted from `reweighting.start_epoch` on, and of
    `diversity * tbar ** 2 * KL(mean || expert)` (`Diversity`). From that epoch on each class has its own temperature in the
    divergence, before it 1. The prediction is the mean of the experts' raw logits.

    With a larger ensemble as teacher (`prerequisites.teacher`) and `LogitDistillHead` among the terms it is RIDE with
    distillation, six experts into three; temperature 1.5 and weight 1 are the authors'. Their loop adds RIDE's whole loss and
    the distillation once for every expert, E times in all; here both count once, which divides their loss by E and leaves
    their proportion as it is.

    Not built: the second stage, which learns how few experts an image needs; it saves time and gives no accuracy.

    Args:
        head: config of a `CosineHead` without its scale.
        scale: inverse temperature of the cosines; the heads apply it, and the margins are scaled with it.
        max_margin: LDAM's margin of the smallest class.
        diversity: factor on the divergence; below 0 it drives the experts apart.
        eta: how strongly a class's temperature follows its prior, in [0, 1).
        terms: further terms.
        **others: as `MultiExpertClassifier`, but for `loss`.

    Raises:
        UserError: the head has a scale of its own, or `eta` is outside [0, 1).

    Source: Wang et al., Long-tailed Recognition by Routing Diverse Distribution-Aware Experts, ICLR 2021, and its code.
    """

    settled = ('loss',)

    def __init__(
        self,
        head: dict,
        scale: float = 30.0,
        max_margin: float = 0.5,
        diversity: float = -0.45,
        eta: float = 0.05,
        terms: Sequence[dict] = (),
        **others,  # noqa: ANN003
    ) -> None:
        if 'scale' in head:
            raise UserError("RIDE scales heads and margins alike: set model.scale and leave out the head's own scale.")
        ldam = dict(type='LDAMLoss', max_margin=max_margin, scale=scale)
        super().__init__(
            head={**head, 'scale': scale},
            loss=dict(type='Classification', loss=ldam, logit_scale=scale),  # LDAM takes plain cosines
            terms=[dict(type='Diversity', weight=diversity, eta=eta), *terms],
            **others,
        )


@MODELS.register_module()
class RIDEDistillationClassifier(RIDEClassifier):
    """`RIDEClassifier` by another name: its `distill_heads` are the terms it learns from the larger ensemble by."""
