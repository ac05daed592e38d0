"""Balanced contrastive loss: every class weighs the same among the keys, and every class is there."""

import torch
import torch.nn.functional as F
from torch import Tensor

from mmlt.models.losses.inputs import widen
from mmlt.models.losses.similarity import counted_keys, similarities


def balanced_contrastive_loss(features: Tensor, target: Tensor, prototypes: Tensor, temperature: float) -> Tensor:
    """BCL's contrastive part: class averaging in the denominator, a prototype of every class among the keys.

    For each anchor the mean over its positives p of `-log(exp(f.p / T) / sum over classes c of A_c)`, where `A_c` is the
    mean of `exp(f.a / T)` over the keys a of class c, the anchor itself excepted. Keys are all anchors and the prototypes,
    so an anchor always has a positive.

    Args:
        features: (N, D) unit vectors, the anchors of all views, any floating dtype.
        target: (N,) int64 in [0, C).
        prototypes: (C, D) unit vectors, one a class.
        temperature: T, more than 0.

    Returns:
        Scalar, float32 or wider.

    Raises:
        ValueError: `temperature` is not more than 0.

    Source: Zhu et al., Balanced Contrastive Learning for Long-Tailed Visual Recognition, CVPR 2022, eq. 6, and its code.
    """
    features, num_classes = widen(features), len(prototypes)
    labels = torch.cat([target, torch.arange(num_classes, device=target.device)])
    counted = counted_keys(labels, len(target))  # (N, N + C)
    row = similarities(features, torch.cat([features, prototypes.to(features.dtype)]), temperature)
    positive = counted & (labels == target[:, None])
    in_batch = F.one_hot(labels, num_classes).sum(dim=0)  # (C,), each at least 1
    # Keys of the anchor's class are one fewer: itself. A weight in the sum is an addend in the exponent.
    weights = (in_batch[labels] - positive.long()).clamp_min(1).to(row.dtype)
    normaliser = (row - weights.log()).masked_fill(~counted, -torch.inf).logsumexp(dim=1)  # (N,)
    attraction = row.masked_fill(~positive, 0).sum(dim=1) / positive.sum(dim=1)
    return (normaliser - attraction).mean()
