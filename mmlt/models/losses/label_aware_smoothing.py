"""Label smoothing that is stronger for classes with more images."""

import math

import torch
from torch import Tensor

from mmlt.models.losses.inputs import batch_mean, class_vector, smallest_count, widen


def smoothing_factors(class_counts: Tensor, head: float, tail: float) -> Tensor:
    """Smoothing of each class, `tail + (head - tail) * sin(pi / 2 * (n_c - n_min) / (n_max - n_min))`.

    Args:
        class_counts: (C,) floating; an empty class counts as the smallest one that has an image.
        head: smoothing of the largest class, in [0, 1].
        tail: smoothing of the smallest class, in [0, 1]; of every class when all counts are equal.

    Returns:
        (C,) in the dtype of `class_counts`.
    """
    smallest = smallest_count(class_counts)
    excess = (class_counts - smallest).clamp_min(0)
    span = (class_counts.max() - smallest).clamp_min(torch.finfo(class_counts.dtype).tiny)
    return tail + (head - tail) * torch.sin(math.pi / 2 * excess / span)


def label_aware_smoothing_loss(
    logits: Tensor,
    target: Tensor,
    class_counts: Tensor,
    head: float,
    tail: float,
    class_weights: Tensor | None = None,
    sample_weights: Tensor | None = None,
) -> Tensor:
    """Label-aware smoothing, `(1 - eps_y) * nll + eps_y * mean_c(-log p_c)` with `eps` from `smoothing_factors`.

    Args:
        logits: (B, C), any floating dtype.
        target: (B,) int64 in [0, C).
        class_counts: (C,) training images of each class.
        head: smoothing of the largest class, in [0, 1].
        tail: smoothing of the smallest class, in [0, 1].
        class_weights: (C,), with torch's weighted mean, or None.
        sample_weights: (B,), how many times each sample counts in the mean; None for once each.

    Returns:
        Scalar, float32 or wider.

    Source: Zhong et al., Improving Calibration for Long-Tailed Recognition (MiSLAS), CVPR 2021, and its code.
    """
    logits = widen(logits)
    counts = class_vector(class_counts, logits)
    smoothing = smoothing_factors(counts, head, tail)[target]  # (B,)
    log_probability = torch.log_softmax(logits, dim=1)  # (B, C)
    likelihood = log_probability.gather(1, target[:, None]).squeeze(1)  # (B,)
    losses = -(1 - smoothing) * likelihood - smoothing * log_probability.mean(dim=1)
    weights = None if class_weights is None else class_vector(class_weights, logits, 'class_weights')
    return batch_mean(losses, target, weights, sample_weights)
