"""Contrast between two views of an image."""

import torch
from torch import Tensor

from mmlt.models.losses.inputs import widen


def info_nce_loss(queries: Tensor, keys: Tensor, queue: Tensor, filled: Tensor, temperature: float) -> Tensor:
    """InfoNCE: each query shall be nearer to its own key than to every key of the queue.

    Args:
        queries: (B, D), of length 1.
        keys: (B, D), of length 1; no gradient flows into them.
        queue: (Q, D), keys of other images, of length 1.
        filled: bool (Q,), which entries of the queue count.
        temperature: tau, more than 0.

    Returns:
        Scalar, float32 or wider, mean over the batch; 0 while the queue is empty.

    Source: van den Oord et al., 2018; He et al., Momentum Contrast, CVPR 2020, eq. 1.
    """
    queries, keys, queue = widen(queries), widen(keys.detach()), widen(queue.detach())
    positive = (queries * keys).sum(1, keepdim=True)  # (B, 1)
    negative = (queries @ queue.T).masked_fill(~filled, -torch.inf)  # (B, Q)
    return -torch.log_softmax(torch.cat([positive, negative], dim=1) / temperature, dim=1)[:, 0].mean()
