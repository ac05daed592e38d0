"""RSKD's term: several teachers, each of a subset of the classes, distilled into one student."""

from collections.abc import Sequence

import torch
from torch import Tensor

from mmlt.models.losses.multi_label import binary_distillation_loss
from mmlt.models.losses.subset_distillation import subset_distillation_loss
from mmlt.models.step import Outputs, Step
from mmlt.models.terms.distillation import SoftenedDistillTerm, on_classes
from mmlt.registry import MODELS


@MODELS.register_module()
class SubsetDistillHead(SoftenedDistillTerm):
    """Each teacher is asked about the images of its subset alone; what all of them say is added up.

    `T^2 * mean_i sum_m w_m [y_i in S_m] KL(p_m || s_m)` with `p_m`, `s_m` teacher and student over the classes S_m: one
    softmax over the subset, or for images with several labels a binary distillation of each class, where an image belongs to a
    subset if it shows one of its classes. Subsets may overlap. A teacher of all classes is asked about every image, so one
    such teacher gives plain distillation. A mixed image belongs to a subset by the shares of its labels.

    Args:
        temperature: T > 0.
        weight, role: as `DistillTerm`.
        teacher_weights: w of each teacher, in the order of the prerequisites; None for ones. They are not normalised.
    """

    name = 'loss_rskd'

    def combine(self, losses: Sequence[Tensor], weights: Sequence[float]) -> Tensor:
        """The weighted sum."""
        return sum(w * loss for w, loss in zip(weights, losses, strict=True))

    def compare(self, step: Step, student: Outputs, teacher: Outputs) -> Tensor:
        """See `subset_distillation_loss`."""
        logits, several = on_classes(student.logits, teacher), step.target.dim() == 2
        return subset_distillation_loss(logits, teacher.logits, _member(step, teacher), self.temperature, several)


@MODELS.register_module()
class BinaryDistillHead(SoftenedDistillTerm):
    """Distillation for images with several labels: each class by itself, summed; see `binary_distillation_loss`.

    Args:
        temperature: T > 0.
        weight, role, teacher_weights: as `DistillTerm`.
    """

    name = 'loss_kd'

    def compare(self, step: Step, student: Outputs, teacher: Outputs) -> Tensor:
        """The mean over the images."""
        return binary_distillation_loss(on_classes(student.logits, teacher), teacher.logits, self.temperature).mean()


def _member(step: Step, teacher: Outputs) -> Tensor:
    """(B,), how far each image belongs to the teacher's subset."""
    if teacher.classes is None:
        return teacher.logits.new_ones(len(teacher.logits))
    if step.target.dim() == 2:
        return (step.target[:, teacher.classes] > 0).any(dim=1)
    inside = torch.zeros_like(step.prior.class_counts, dtype=teacher.logits.dtype)  # (K,)
    inside[teacher.classes] = 1
    if step.mixed is None:
        return inside[step.target]
    share = step.mixed.weight
    return share * inside[step.mixed.target] + (1 - share) * inside[step.mixed.partner_target]
