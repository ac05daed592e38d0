"""BalPoE: a balanced product of calibrated experts (Sanchez Aimar et al., CVPR 2023)."""

from collections.abc import Sequence

from mmlt.models.classifiers.multi_expert import MultiExpertClassifier
from mmlt.registry import MODELS


@MODELS.register_module()
class BalPoEClassifier(MultiExpertClassifier):
    """Experts with logit adjustments of different strength, trained on mixed images, which calibrates them.

    The loss is the mean of the experts' logit-adjusted losses (`ExpertTaus`). The prediction, the mean of their raw logits, is
    unbiased where the mean of `taus` is 1. The paper mixes by mixup (`mixing`).

    Args:
        taus: strength of the prior in each expert's loss.
        **others: as `MultiExpertClassifier`, but for `loss`.

    Source: Sanchez Aimar et al., Balanced Product of Calibrated Experts for Long-Tailed Recognition, CVPR 2023, and its
    code. There one share mixes the whole batch; here every image has its own.
    """

    settled = ('loss',)

    def __init__(self, taus: Sequence[float] = (0.0, 1.0, 2.0), **others) -> None:  # noqa: ANN003
        super().__init__(loss=dict(type='ExpertTaus', taus=taus), **others)
