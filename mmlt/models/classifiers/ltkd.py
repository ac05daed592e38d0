"""LTKD: long-tailed knowledge distillation (Kim, CVPR 2026, arXiv 2506.18496); a reconstruction."""

from collections.abc import Sequence

from mmlt.models.classifiers.base import LongTailedClassifier
from mmlt.registry import MODELS


@MODELS.register_module()
class LTKDClassifier(LongTailedClassifier):
    """Cross entropy plus distillation whose parts between and within groups of classes are balanced. A RECONSTRUCTION.

    Public (the abstract, and notes of others): `KL(p_t || p_s)` is the divergence of the groups' masses plus, weighted by the
    teacher's masses, the divergences within the groups; the first is re-balanced by the masses that the teacher gives over a
    batch, the second is given one weight for all groups; groups are 33, 34 and 33 % of the classes by frequency.

    Ours: the values of temperature, alpha and beta, and the order of re-balancing and normalisation (`GroupDistillHead`).

    Args:
        temperature: T of the distillation.
        alpha: factor on the part between groups.
        beta: factor on the part within groups.
        terms: further terms.
        **others: as `LongTailedClassifier`.
    """

    def __init__(
        self,
        temperature: float = 2.0,
        alpha: float = 1.0,
        beta: float = 1.0,
        terms: Sequence[dict] = (),
        **others,  # noqa: ANN003
    ) -> None:
        grouped = dict(type='GroupDistillHead', temperature=temperature, alpha=alpha, beta=beta)
        super().__init__(terms=[grouped, *terms], **others)
