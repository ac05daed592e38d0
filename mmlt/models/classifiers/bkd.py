"""BKD: balanced knowledge distillation (Zhang et al., arXiv 2104.10510; Neurocomputing 2023)."""

from collections.abc import Sequence

from mmlt.arguments import number
from mmlt.models.classifiers.base import LongTailedClassifier
from mmlt.registry import MODELS


@MODELS.register_module()
class BKDClassifier(LongTailedClassifier):
    """Plain cross entropy plus alpha times the balanced distillation loss (`BalancedDistillHead`).

    A teacher trained on the same long-tailed data knows the head classes best. Its softened probabilities are weighted
    by class (effective number) and normalised again for each image, so that the student hears of the tail classes too.
    On CIFAR-100 the weights act from the first epoch; on CIFAR-10 from the first drop of the learning rate
    (`reweight_start_epoch=160`), ordinary distillation before. The authors leave the cross entropy unweighted; `reweighting`
    weights it.

    Args:
        temperature: T of the distillation.
        alpha: weight of the distillation loss.
        beta: of the effective number.
        reweight_start_epoch: first epoch (from 0) with class weights.
        terms: further terms.
        **others: as `LongTailedClassifier`.
    """

    def __init__(
        self,
        temperature: float = 2.0,
        alpha: float = 1.0,
        beta: float = 0.9999,
        reweight_start_epoch: int = 0,
        terms: Sequence[dict] = (),
        **others,  # noqa: ANN003
    ) -> None:
        balanced = dict(
            type='BalancedDistillHead',
            temperature=temperature,
            weight=number(self, 'alpha', alpha, least=0),
            beta=beta,
            start_epoch=reweight_start_epoch,
        )
        super().__init__(terms=[balanced, *terms], **others)
