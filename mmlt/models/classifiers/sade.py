"""SADE: self-supervised aggregation of diverse experts (Zhang et al., NeurIPS 2022)."""

from collections.abc import Sequence

from mmlt.models.classifiers.multi_expert import MultiExpertClassifier
from mmlt.models.losses.experts import SADE_EXPERTS
from mmlt.registry import MODELS


@MODELS.register_module()
class SADEClassifier(MultiExpertClassifier):
    """Each expert is trained for another class distribution of the test set: as in training, uniform, reversed.

    The prediction is the mean of the experts' raw logits. `tools/test.py --aggregate` weights them instead by what it
    finds on the unlabelled test images.

    Args:
        experts: what each expert is trained for: `forward`, `uniform` or `backward`.
        tau: how far a `backward` expert leans to the tail.
        **others: as `MultiExpertClassifier`, but for `loss`.

    Source: Zhang et al., Self-Supervised Aggregation of Diverse Experts for Test-Agnostic Long-Tailed Recognition,
    NeurIPS 2022, and its code.
    """

    settled = ('loss',)

    def __init__(self, experts: Sequence[str] = SADE_EXPERTS, tau: float = 2.0, **others) -> None:  # noqa: ANN003
        super().__init__(loss=dict(type='ExpertPriors', experts=experts, tau=tau), **others)
