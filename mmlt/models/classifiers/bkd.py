"""BKD: balanced knowledge distillation (Zhang et al., arXiv 2104.10510; Neurocomputing 2023)."""

from collections.abc import Sequence

from mmlt.arguments import number
from mmlt.models.classifiers.distillation import DistillationClassifier
from mmlt.registry import MODELS


@MODELS.register_module()
class BKDClassifier(DistillationClassifier):
    """Plain cross entropy plus alpha times the balanced distillation loss.

    A teacher trained on the same long-tailed data knows the head classes best. Its softened probabilities are weighted
    by class (effective number) and normalised again for each image, so that the student hears of the tail classes too.
    The cross entropy is never weighted. On CIFAR-100 the weights act from the first epoch; on CIFAR-10 from the first
    drop of the learning rate (`reweight_start_epoch=160`), ordinary distillation before.

    Args:
        temperature: T of the distillation.
        alpha: weight of the distillation loss.
        beta: of the effective number.
        reweight_start_epoch: first epoch (from 0) with class weights.
        distill_heads: further distillation heads, added to the balanced one.
        backbone, head, loss, neck, data_preprocessor: as `LongTailedClassifier`.
    """

    def __init__(
        self,
        backbone: dict,
        head: dict,
        temperature: float = 2.0,
        alpha: float = 1.0,
        beta: float = 0.9999,
        reweight_start_epoch: int = 0,
        distill_heads: Sequence[dict] = (),
        loss: dict | None = None,
        neck: dict | None = None,
        data_preprocessor: dict | None = None,
    ) -> None:
        balanced = dict(
            type='BalancedDistillHead',
            num_classes=head['num_classes'],
            temperature=temperature,
            weight=number(self, 'alpha', alpha, least=0),
            beta=beta,
            start_epoch=reweight_start_epoch,
        )
        super().__init__(
            backbone, head, [balanced, *distill_heads], loss=loss, neck=neck, data_preprocessor=data_preprocessor
        )
