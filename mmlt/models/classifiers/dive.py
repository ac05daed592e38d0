"""DiVE: distilling virtual examples (He et al., ICCV 2021, arXiv 2103.15042)."""

from collections.abc import Sequence

from mmlt.arguments import number
from mmlt.models.classifiers.base import LongTailedClassifier
from mmlt.registry import MODELS


@MODELS.register_module()
class DiVEClassifier(LongTailedClassifier):
    """`(1 - alpha) * balanced softmax + alpha * T^2 KL(q || student)`, q the teacher's distribution, flattened.

    The teacher is trained by balanced softmax on the same data. Its probabilities at temperature T are raised to a power of
    1/2 and normalised again (`VirtualExampleDistillHead`); so images of frequent classes stand in for rare ones too. The
    student's plain logits are compared, and are the prediction.

    Args:
        temperature: T of the distillation; 3, on CIFAR-100-LT of ratio 100 and 50 it is 2.
        alpha: share of the distillation, in [0, 1].
        power: on the teacher's softened probabilities.
        loss: of the labels; balanced softmax if none is given.
        terms: further terms.
        **others: as `LongTailedClassifier`.

    Source: the paper; settings from BagofTricks-LT, by an author of both. There is no official code.
    """

    def __init__(
        self,
        temperature: float = 3.0,
        alpha: float = 0.5,
        power: float = 0.5,
        loss: dict | None = None,
        terms: Sequence[dict] = (),
        **others,  # noqa: ANN003
    ) -> None:
        alpha = number(self, 'alpha', alpha, least=0, most=1)
        labels = dict(type='Classification', loss=loss or dict(type='BalancedSoftmaxLoss'), weight=1 - alpha)
        virtual = dict(type='VirtualExampleDistillHead', temperature=temperature, power=power, weight=alpha)
        super().__init__(loss=labels, terms=[virtual, *terms], **others)
