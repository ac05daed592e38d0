"""NCL: nested collaborative learning (Li et al., CVPR 2022, arXiv 2203.15359)."""

from collections.abc import Sequence

from mmlt.models.classifiers.multi_expert import MultiExpertClassifier
from mmlt.registry import MODELS


def contrast_terms(contrast: dict | None, weight: float) -> list[dict]:
    """The config of a contrastive branch with these keywords of `MomentumContrast`; nothing for None."""
    return [] if contrast is None else [dict(type='MomentumContrast', weight=weight, **contrast)]


@MODELS.register_module()
class NCLClassifier(MultiExpertClassifier):
    """Experts that learn from labels and from each other, over all classes and over the hard ones.

    The labels teach by balanced softmax (`loss`), over all classes; `NestedCollaboration` adds the labels on the hard classes
    and the experts' mutual distillation on both; `MomentumContrast`, for which each image needs a second view, tells images
    apart.

    Args:
        hard_part: part of the classes that count as hard, in (0, 1]; 0.3 in the paper.
        distill_weight: weight of the mutual distillation.
        contrast: keywords of `MomentumContrast` (`dim`, `queue_size`, `temperature`, `momentum`); None for no such branch.
        contrast_weight: weight of its loss.
        loss: of the labels over all classes; balanced softmax if none is given.
        terms: further terms.
        **others: as `MultiExpertClassifier`; the paper's experts share nothing (`shared_stages=0`).
    """

    def __init__(
        self,
        hard_part: float = 0.3,
        distill_weight: float = 0.6,
        contrast: dict | None = None,
        contrast_weight: float = 1.0,
        loss: dict | None = None,
        terms: Sequence[dict] = (),
        **others,  # noqa: ANN003
    ) -> None:
        nested = dict(type='NestedCollaboration', hard_part=hard_part, distill_weight=distill_weight)
        own = [nested, *contrast_terms(contrast, contrast_weight)]
        super().__init__(loss=loss or dict(type='BalancedSoftmaxLoss'), terms=[*own, *terms], **others)
