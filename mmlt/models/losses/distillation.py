"""Knowledge distillation on logits: plain, with a class-balanced teacher, and with virtual examples."""

import torch
from torch import Tensor

from mmlt.models.losses.inputs import class_vector, widen


def distillation_loss(student_logits: Tensor, teacher_logits: Tensor, temperature: float) -> Tensor:
    """Knowledge distillation, `T ** 2 * KL(softmax(z_t / T) || softmax(z_s / T))`.

    Args:
        student_logits: (B, C), any floating dtype.
        teacher_logits: (B, C); no gradient flows into them.
        temperature: T, more than 0.

    Returns:
        Scalar, float32 or wider: sum over the classes, mean over the batch, T squared included.

    Raises:
        ValueError: `temperature` is not more than 0.

    Source: Hinton et al., Distilling the Knowledge in a Neural Network, 2015, section 2.
    """
    _check_temperature(temperature)
    target = torch.softmax(widen(teacher_logits.detach()) / temperature, dim=1)  # (B, C)
    return temperature**2 * _divergence(target, widen(student_logits) / temperature)


def balanced_distillation_loss(
    student_logits: Tensor, teacher_logits: Tensor, class_weights: Tensor, temperature: float
) -> Tensor:
    """Balanced knowledge distillation: the teacher's distribution is weighted by class and normalised again.

    `q_c = w_c p_c / sum_j w_j p_j` with `p = softmax(z_t / T)`, for each sample by itself, then
    `T ** 2 * KL(q || softmax(z_s / T))`. Only ratios of weights matter; equal weights give `distillation_loss`.

    Args:
        student_logits: (B, C), any floating dtype.
        teacher_logits: (B, C); no gradient flows into them.
        class_weights: (C,), at least 0 and not all 0; BKD takes the effective-number weights.
        temperature: T, more than 0.

    Returns:
        Scalar, float32 or wider: sum over the classes, mean over the batch, T squared included.

    Raises:
        ValueError: `temperature` is not more than 0, or `class_weights` has not C entries.

    Source: Zhang et al., Balanced Knowledge Distillation for Long-tailed Learning, arXiv 2104.10510, and its code.
    """
    _check_temperature(temperature)
    teacher_logits = widen(teacher_logits.detach())
    log_weights = class_vector(class_weights, teacher_logits, 'class_weights').detach().log()
    # w * p, normalised to sum 1, is a softmax with log w added: it cannot underflow to 0 / 0.
    target = torch.softmax(teacher_logits / temperature + log_weights, dim=1)  # (B, C)
    return temperature**2 * _divergence(target, widen(student_logits) / temperature)


def virtual_example_loss(student_logits: Tensor, teacher_logits: Tensor, temperature: float, power: float) -> Tensor:
    """Distilling virtual examples: the teacher's distribution is raised to a power below 1, which flattens it.

    `q_c = p_c ** power / sum_j p_j ** power` with `p = softmax(z_t / T)`, for each sample by itself, then
    `T ** 2 * KL(q || softmax(z_s / T))`. Read as virtual examples: an image counts as q_c examples of class c, and the power
    moves them from frequent classes to rare ones. A power of 1 gives `distillation_loss`.

    Args:
        student_logits: (B, C), any floating dtype.
        teacher_logits: (B, C); no gradient flows into them.
        temperature: T, more than 0.
        power: 0 (each class alike) or more.

    Returns:
        Scalar, float32 or wider: sum over the classes, mean over the batch, T squared included.

    Raises:
        ValueError: `temperature` is not more than 0.

    Source: He et al., Distilling Virtual Examples for Long-tailed Recognition, ICCV 2021; the formula is that of
    BagofTricks-LT, by an author of both.
    """
    _check_temperature(temperature)
    # A power of a softmax, normalised again, is the softmax of the logits times the power: it cannot underflow.
    target = torch.softmax(widen(teacher_logits.detach()) * (power / temperature), dim=1)  # (B, C)
    return temperature**2 * _divergence(target, widen(student_logits) / temperature)


def _divergence(target: Tensor, logits: Tensor) -> Tensor:
    """Batch mean of KL(target || softmax(logits)), with 0 log 0 = 0."""
    log_student = torch.log_softmax(logits, dim=1)
    return (torch.xlogy(target, target) - target * log_student).sum(dim=1).mean()


def _check_temperature(temperature: float) -> None:
    if not temperature > 0:
        raise ValueError(f'temperature must be more than 0, got {temperature}.')
