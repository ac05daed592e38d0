"""RSKD: distillation of a teacher that knows a subset of the classes."""

import torch
from torch import Tensor

from mmlt.models.losses.inputs import widen
from mmlt.models.losses.multi_label import binary_distillation_loss


def subset_distillation_loss(
    student_logits: Tensor, teacher_logits: Tensor, member: Tensor, temperature: float, several: bool = False
) -> Tensor:
    """`T ** 2 * mean over the images of member * KL(teacher || student)`, over the classes of the subset alone.

    Args:
        student_logits: (B, S), the student's logits of the subset's classes, any floating dtype.
        teacher_logits: (B, S); no gradient flows into them.
        member: (B,), how far an image belongs to the subset, in [0, 1].
        temperature: T, more than 0.
        several: images have several labels: a binary distillation of each class instead of a softmax over the subset.

    Returns:
        Scalar, float32 or wider. With `member` all one it is plain distillation.

    Raises:
        ValueError: `temperature` is not more than 0.
    """
    if not temperature > 0:
        raise ValueError(f'temperature must be more than 0, got {temperature}.')
    if several:
        losses = binary_distillation_loss(student_logits, teacher_logits, temperature)  # (B,)
    else:
        target = torch.log_softmax(widen(teacher_logits.detach()) / temperature, dim=1)  # (B, S)
        student = torch.log_softmax(widen(student_logits) / temperature, dim=1)
        losses = temperature**2 * (target.exp() * (target - student)).sum(dim=1)
    return (member.to(losses.dtype) * losses).mean()
