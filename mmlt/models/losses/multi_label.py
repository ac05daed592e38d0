"""Losses of images with several labels: one binary decision a class, summed over the classes, meaned over the images."""

import torch
import torch.nn.functional as F
from torch import Tensor

from mmlt.models.losses.balanced_sigmoid import FREQUENCY_MARGIN
from mmlt.models.losses.inputs import class_vector, widen


def binary_cross_entropy_loss(logits: Tensor, target: Tensor, class_weights: Tensor | None = None) -> Tensor:
    """Binary cross entropy of each class.

    Args:
        logits: (B, K), any floating dtype.
        target: (B, K), 1 for each class of an image, else 0; any dtype.
        class_weights: (K,), each class's terms are multiplied by its weight; None for no weights.

    Returns:
        Scalar, float32 or wider: sum over the classes, mean over the images.
    """
    logits = widen(logits)
    losses = F.binary_cross_entropy_with_logits(logits, target.to(logits.dtype), reduction='none')  # (B, K)
    return _mean(losses, logits, class_weights)


def binary_focal_loss(
    logits: Tensor, target: Tensor, gamma: float, class_weights: Tensor | None = None
) -> Tensor:
    """Sigmoid focal loss, `(1 - p_t) ** gamma * bce` with `p_t = p` of a class that is shown, else `1 - p`.

    Args:
        logits: (B, K), any floating dtype.
        target: (B, K), 1 for each class of an image, else 0; any dtype.
        gamma: focusing exponent, at least 0.
        class_weights: (K,), see `binary_cross_entropy_loss`.

    Returns:
        Scalar, float32 or wider: sum over the classes, mean over the images.

    Source: Lin et al., Focal Loss for Dense Object Detection, ICCV 2017, eq. 4.
    """
    logits = widen(logits)
    losses = F.binary_cross_entropy_with_logits(logits, target.to(logits.dtype), reduction='none')
    return _mean(_focus(losses, gamma) * losses, logits, class_weights)


def asymmetric_loss(
    logits: Tensor,
    target: Tensor,
    gamma_positive: float,
    gamma_negative: float,
    margin: float,
    class_weights: Tensor | None = None,
) -> Tensor:
    """Asymmetric loss (ASL): shown classes and others are focused unlike, and easy negatives are left out.

    `-(1 - p) ** gamma_positive * log(p)` of a class that is shown, `-q ** gamma_negative * log(1 - q)` of another, with
    `q = max(p - margin, 0)`. The authors' code clamps the arguments of the logarithms at 1e-8; with a margin that of a
    negative is at least the margin anyway. The focusing factors have a gradient, as in the equation and in the authors'
    optimized class; their plain class leaves it out unless told otherwise.

    Args:
        logits: (B, K), any floating dtype.
        target: (B, K), 1 for each class of an image, else 0; any dtype.
        gamma_positive: focusing exponent of the shown classes, at least 0.
        gamma_negative: that of the others, at least 0.
        margin: in [0, 1), probability below which a negative counts nothing.
        class_weights: (K,), see `binary_cross_entropy_loss`.

    Returns:
        Scalar, float32 or wider: sum over the classes, mean over the images. With exponents and margin 0 it is
        `binary_cross_entropy_loss`.

    Source: Ridnik et al., Asymmetric Loss for Multi-Label Classification, ICCV 2021, eq. 7.
    """
    logits = widen(logits)
    target = target.to(logits.dtype)
    positive = -F.logsigmoid(logits)  # -log(p)
    positive = _focus(positive, gamma_positive) * positive
    if margin == 0:
        negative = -F.logsigmoid(-logits)  # -log(1 - p)
        negative = _focus(negative, gamma_negative) * negative
    else:
        shifted = (logits.sigmoid() - margin).clamp_min(0)
        negative = -torch.log1p(-shifted)
        # A clamped probability has no gradient, and 0 ** gamma an infinite one below 1: keep off 0.
        negative = shifted.clamp_min(torch.finfo(logits.dtype).tiny).pow(gamma_negative) * negative
    return _mean(target * positive + (1 - target) * negative, logits, class_weights)


def distribution_balanced_loss(
    logits: Tensor,
    target: Tensor,
    class_counts: Tensor,
    num_images: int,
    alpha: float,
    beta: float,
    mu: float,
    negative_scale: float,
    kappa: float,
    gamma: float,
    factor: float = 1.0,
    class_weights: Tensor | None = None,
) -> Tensor:
    """Distribution-balanced loss: weights that undo the co-occurrence of labels, and negatives that push less.

    Re-balanced weight of class k for an image: `r = (1 / n_k) / sum of 1 / n_j over the image's classes`, which is the wanted
    over the actual sampling frequency, smoothed to `alpha + sigmoid(beta * (r - mu))`; an image without labels has the largest
    weight. Negative-tolerant regularisation with `nu_k = kappa / lambda * log(N / n_k - 1)` and `lambda = negative_scale`: a
    shown class costs `log(1 + exp(-(z - nu)))`, another `log(1 + exp(lambda * (z - nu))) / lambda`. Each is focused by
    `(1 - p_t) ** gamma`, p_t of the logit inside.

    Args:
        logits: (B, K), any floating dtype.
        target: (B, K), 1 for each class of an image, else 0; any dtype.
        class_counts: (K,) training images n_k that show a class.
        num_images: N.
        alpha, beta, mu: of the smoothing.
        negative_scale: lambda, more than 0.
        kappa: strength of the bias.
        gamma: focusing exponent; 0 for none.
        factor: on the whole; the authors' code has 2 with focusing.
        class_weights: (K,), see `binary_cross_entropy_loss`.

    Returns:
        Scalar, float32 or wider: sum over the classes, mean over the images (the authors' code means over both).

    Source: Wu et al., Distribution-Balanced Loss for Multi-Label Classification in Long-Tailed Datasets, ECCV 2020, eq. 2 to
    7, with the bias divided by lambda as in their code.
    """
    logits = widen(logits)
    target, counts = target.to(logits.dtype), class_vector(class_counts, logits)
    repeated = (target / counts).sum(dim=1, keepdim=True)  # (B, 1), 0 without labels
    smooth = torch.sigmoid(beta * (1 / counts / repeated - mu))  # (B, K)
    weights = alpha + torch.where(repeated > 0, smooth, 1.0)
    frequency = (counts / num_images).clamp(FREQUENCY_MARGIN, 1 - FREQUENCY_MARGIN)
    shifted = logits + kappa / negative_scale * torch.logit(frequency)
    positive, negative = -F.logsigmoid(shifted), -F.logsigmoid(-negative_scale * shifted)
    losses = target * positive + (1 - target) * negative
    scale = weights * (target + (1 - target) / negative_scale)
    return factor * _mean(scale * _focus(losses, gamma) * losses, logits, class_weights)


def binary_distillation_loss(student_logits: Tensor, teacher_logits: Tensor, temperature: float) -> Tensor:
    """Distillation of binary decisions, `T ** 2 * KL(Bernoulli(sigmoid(z_t / T)) || Bernoulli(sigmoid(z_s / T)))` a class.

    Args:
        student_logits: (B, K), any floating dtype.
        teacher_logits: (B, K); no gradient flows into them.
        temperature: T, more than 0.

    Returns:
        (B,), float32 or wider, T squared included: the sum over the classes for each image.

    Raises:
        ValueError: `temperature` is not more than 0.
    """
    if not temperature > 0:
        raise ValueError(f'temperature must be more than 0, got {temperature}.')
    student, teacher = widen(student_logits) / temperature, widen(teacher_logits.detach()) / temperature
    shown = teacher.sigmoid()
    # KL = p (log p - log q) + (1 - p) (log(1 - p) - log(1 - q)); no logarithm of 0 is taken
    losses = shown * (F.logsigmoid(teacher) - F.logsigmoid(student))
    losses = losses + (1 - shown) * (F.logsigmoid(-teacher) - F.logsigmoid(-student))
    return temperature**2 * losses.sum(dim=1)


def _focus(losses: Tensor, gamma: float) -> Tensor:
    """`(1 - p_t) ** gamma` from `-log(p_t)`, without cancellation; the floor keeps the gradient finite below gamma = 1."""
    if gamma == 0:
        return torch.ones_like(losses)
    return (-torch.expm1(-losses)).clamp_min(torch.finfo(losses.dtype).tiny).pow(gamma)


def _mean(losses: Tensor, logits: Tensor, class_weights: Tensor | None) -> Tensor:
    if class_weights is not None:
        losses = losses * class_vector(class_weights, logits, 'class_weights')
    return losses.sum(dim=1).mean()
