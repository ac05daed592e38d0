"""Terms that compare a student with its teachers, here by their logits; several combine in one classifier.

The student of several experts is their ensemble: the mean of their features, and of their logits. Of several teachers each
is compared by itself, and the losses are averaged by their weights. A teacher of some of the classes is compared on those.
"""

from collections.abc import Sequence

from torch import Tensor, nn

from mmlt.arguments import number
from mmlt.errors import UserError
from mmlt.models.losses import balanced_distillation_loss, distillation_loss
from mmlt.models.losses.reweighting import ClassReweighting
from mmlt.models.step import Outputs, Step
from mmlt.models.terms.base import Term
from mmlt.registry import MODELS


class DistillTerm(Term):
    """Base: the mean of a comparison with each teacher; a subclass defines `compare` and the loss's `name`.

    Args:
        weight: factor on the loss.
        role: name of the prerequisite that the teachers come by.
        teacher_weights: weight of each teacher in the mean, in the order of the prerequisites; None for equal ones.

    Raises:
        UserError: there is no teacher, or not one for each weight.
    """

    labels = ('one', 'many')
    name = 'loss_distill'

    def __init__(
        self, weight: float = 1.0, role: str = 'teacher', teacher_weights: Sequence[float] | None = None
    ) -> None:
        super().__init__()
        self.weight = number(self, 'weight', weight, least=0)
        self.roles = (role,)
        self.teacher_weights = teacher_weights
        if teacher_weights is not None and not sum(number(self, 'each teacher weight', w, least=0) for w in teacher_weights):
            raise UserError(f'{type(self).__name__}: the teacher weights {list(teacher_weights)} add up to nothing.')

    def forward(self, step: Step) -> dict[str, Tensor]:
        """The loss by its name."""
        student, teachers = step.ensemble(), step.teachers[self.roles[0]]
        weights = self.teacher_weights or [1.0] * len(teachers)
        if len(weights) != len(teachers):
            raise UserError(
                f'{type(self).__name__} has {len(weights)} teacher weights for {len(teachers)} teachers: correct '
                'teacher_weights.'
            )
        losses = [self.compare(step, student, teacher) for teacher in teachers]
        return {self.name: self.weight * self.combine(losses, weights)}

    def compare(self, step: Step, student: Outputs, teacher: Outputs) -> Tensor:
        """The loss of a student, features (B, C) and logits (B, K), with one teacher, a scalar."""
        raise NotImplementedError

    def combine(self, losses: Sequence[Tensor], weights: Sequence[float]) -> Tensor:
        """One scalar of those of the teachers: their weighted mean."""
        if len(losses) == 1:
            return losses[0]
        return sum(w * loss for w, loss in zip(weights, losses, strict=True)) / sum(weights)


class SoftenedDistillTerm(DistillTerm):
    """Base: a comparison of softened outputs.

    Args:
        temperature: T > 0, which divides the logits of both.
        weight, role, teacher_weights: as `DistillTerm`.
    """

    def __init__(
        self,
        temperature: float = 2.0,
        weight: float = 1.0,
        role: str = 'teacher',
        teacher_weights: Sequence[float] | None = None,
    ) -> None:
        super().__init__(weight, role, teacher_weights)
        self.temperature = number(self, 'temperature', temperature, above=0)


def on_classes(values: Tensor, teacher: Outputs) -> Tensor:
    """The columns of the classes that a teacher knows: (..., K) to (..., K of the teacher)."""
    return values if teacher.classes is None else values[..., teacher.classes]


@MODELS.register_module()
class LogitDistillHead(SoftenedDistillTerm):
    """Knowledge distillation (Hinton et al. 2015): T^2 KL(teacher || student) at temperature T.

    Args:
        temperature: T > 0 of both softmaxes.
        weight, role, teacher_weights: as `DistillTerm`.
    """

    name = 'loss_kd'

    def compare(self, step: Step, student: Outputs, teacher: Outputs) -> Tensor:
        """See `distillation_loss`."""
        return distillation_loss(on_classes(student.logits, teacher), teacher.logits, self.temperature)


@MODELS.register_module()
class BalancedDistillHead(SoftenedDistillTerm):
    """Balanced knowledge distillation (Zhang et al. 2021, arXiv 2104.10510).

    The teacher's softened probabilities are weighted by class (effective number) and normalised again to sum 1, sample
    by sample; the student is drawn to them by T^2 KL. With weights of one this is ordinary distillation.

    Args:
        num_classes: number K of classes; None for the network's.
        temperature: T > 0 of both softmaxes.
        weight, role, teacher_weights: as `DistillTerm`.
        beta: of the effective number, in [0, 1].
        start_epoch: first epoch (from 0) with class weights; before it they are one.
    """

    name = 'loss_bkd'

    def __init__(
        self,
        num_classes: int | None = None,
        temperature: float = 2.0,
        weight: float = 1.0,
        beta: float = 0.9999,
        start_epoch: int = 0,
        role: str = 'teacher',
        teacher_weights: Sequence[float] | None = None,
    ) -> None:
        super().__init__(temperature, weight, role, teacher_weights)
        self.beta = number(self, 'beta', beta, least=0, most=1)
        self.start_epoch = start_epoch
        self.reweighting = None if num_classes is None else ClassReweighting(num_classes, beta, start_epoch)

    def bind(self, model: nn.Module) -> None:
        """Make the weights."""
        self.reweighting = self.reweighting or ClassReweighting(model.num_classes, self.beta, self.start_epoch)

    def set_class_counts(self, class_counts: Tensor) -> None:
        """Take the training images of each class, int64 (K,)."""
        self.reweighting.set_class_counts(class_counts)

    def begin_epoch(self, epoch: int) -> None:
        """Set the weights of an epoch."""
        self.reweighting.set_epoch(epoch)

    def compare(self, step: Step, student: Outputs, teacher: Outputs) -> Tensor:
        """See `balanced_distillation_loss`."""
        logits, weights = on_classes(student.logits, teacher), on_classes(self.reweighting.weights, teacher)
        return balanced_distillation_loss(logits, teacher.logits, weights, self.temperature)
