"""RSKD: relational subsets knowledge distillation (Ju et al., MICCAI 2021); a reconstruction."""

from collections.abc import Sequence

from mmlt.arguments import number
from mmlt.models.classifiers.base import LongTailedClassifier
from mmlt.registry import MODELS


@MODELS.register_module()
class RSKDClassifier(LongTailedClassifier):
    """The classes are split into subsets, a teacher learns each on its own images, one student learns from all of them.

    A reconstruction: the paper's abstract says that and that the distillation is weighted; formulas and code are not public.
    Ours is `loss + alpha * T^2 * mean_i sum_m w_m [y_i in S_m] KL(p_m || s_m)`, see `SubsetDistillHead`. Subsets by shot, by a
    grouping file (regions, phenotypes) or by confusions are a matter of the teachers' configs (`train_dataloader.classes`).
    With a loss of several labels it is the binary form, which retinal images need.

    Args:
        temperature: T of the distillation.
        alpha: weight of the distillation.
        teacher_weights: w of each teacher; None for ones.
        terms: further terms.
        **others: as `LongTailedClassifier`.
    """

    def __init__(
        self,
        temperature: float = 2.0,
        alpha: float = 1.0,
        teacher_weights: Sequence[float] | None = None,
        terms: Sequence[dict] = (),
        **others,  # noqa: ANN003
    ) -> None:
        subsets = dict(
            type='SubsetDistillHead',
            temperature=temperature,
            weight=number(self, 'alpha', alpha, least=0),
            teacher_weights=teacher_weights,
        )
        super().__init__(terms=[subsets, *terms], **others)
