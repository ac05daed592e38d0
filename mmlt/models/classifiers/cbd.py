"""CBD: class-balanced distillation (Iscen et al., BMVC 2021)."""

from collections.abc import Sequence

from mmlt.arguments import number
from mmlt.models.classifiers.base import LongTailedClassifier
from mmlt.registry import MODELS


@MODELS.register_module()
class CBDClassifier(LongTailedClassifier):
    """`(1 - alpha) * CE + alpha * beta * (1 - <f_s, f_t>)`: features learned with every image kept while classes are balanced.

    Teachers are trained by plain cross entropy on the data as they are, the authors' with that same kind of head; the
    student sees balanced classes (`ClassBalancedRepeatSampler`) and its feature is drawn to theirs
    (`JoinedFeatureDistillHead`). `f_t` are the teachers' features, of length one, side by side, and of length one again.
    `f_s` is the student's feature of length one; for several teachers it is projected first
    (`neck=dict(type='ProjectionNeck', ...)`). The head reads that same `f_s`: it is a `CosineHead` of scale 20, which is
    not learned.

    Args:
        alpha: share of the distillation, in [0, 1].
        beta: factor on the distillation.
        loss: of the labels; cross entropy if none is given.
        terms: further terms.
        **others: as `LongTailedClassifier`.

    Source: Iscen et al., Class-Balanced Distillation for Long-Tailed Visual Recognition, BMVC 2021, and its code.
    """

    def __init__(
        self,
        alpha: float = 0.4,
        beta: float = 100.0,
        loss: dict | None = None,
        terms: Sequence[dict] = (),
        **others,  # noqa: ANN003
    ) -> None:
        alpha = number(self, 'alpha', alpha, least=0, most=1)
        labels = dict(type='Classification', loss=loss or dict(type='CrossEntropyLoss'), weight=1 - alpha)
        features = dict(type='JoinedFeatureDistillHead', weight=alpha * number(self, 'beta', beta, least=0))
        super().__init__(loss=labels, terms=[features, *terms], **others)
