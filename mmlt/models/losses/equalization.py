"""Softmax equalization: frequent samples do not push rare classes down all the time."""

import torch
from torch import Tensor

from mmlt.models.losses.inputs import batch_mean, class_vector, widen


def seql_loss(
    logits: Tensor,
    target: Tensor,
    class_counts: Tensor,
    uniform: Tensor,
    gamma: float,
    threshold: float,
    class_weights: Tensor | None = None,
    sample_weights: Tensor | None = None,
) -> Tensor:
    """Softmax equalization loss, `-log(e^{z_y} / sum_k w_k e^{z_k})`.

    `w_k` is 0, with the probability `gamma` for each entry by itself, where class k is rare (`pi_k < threshold`) and
    not the target, and 1 elsewhere.

    Args:
        logits: (B, C), any floating dtype.
        target: (B,) int64 in [0, C).
        class_counts: (C,) training images of each class.
        uniform: (B, C) independent draws in [0, 1); an entry may be left out where its draw is below `gamma`.
        gamma: probability in [0, 1] that a rare class is left out; 0 is the plain cross entropy.
        threshold: share of the training images below which a class is rare (3e-3 to 5e-3).
        class_weights: (C,), with torch's weighted mean, or None.
        sample_weights: (B,), how many times each sample counts in the mean; None for once each.

    Returns:
        Scalar, float32 or wider.

    Source: Tan et al., Equalization Loss for Long-Tailed Object Recognition, CVPR 2020, eq. 10 and 11.
    """
    logits = widen(logits)
    counts = class_vector(class_counts, logits)
    left_out = (uniform < gamma) & (counts / counts.sum() < threshold)  # (B, C)
    left_out = left_out.scatter(1, target[:, None], False)
    score = logits.gather(1, target[:, None]).squeeze(1)  # (B,)
    losses = logits.masked_fill(left_out, -torch.inf).logsumexp(dim=1) - score
    weights = None if class_weights is None else class_vector(class_weights, logits, 'class_weights')
    return batch_mean(losses, target, weights, sample_weights)
