"""Contrast between two views of an image."""

import torch
from torch import Tensor

from mmlt.models.losses.inputs import widen
from mmlt.models.losses.similarity import similarities


def info_nce_loss(queries: Tensor, keys: Tensor, queue: Tensor, filled: Tensor, temperature: float) -> Tensor:
    """InfoNCE: each query shall be nearer to its own key than to every key of the queue.

    Args:
        queries: (B, D), of length 1.
        keys: (B, D), of length 1; no gradient flows into them.
        queue: (Q, D), keys of other images, of length 1.
        filled: bool (Q,), which entries of the queue count; (B, Q) where each query has entries of its own.
        temperature: tau, more than 0.

    Returns:
        Scalar, float32 or wider, mean over the batch; 0 while the queue is empty.

    Raises:
        ValueError: `temperature` is not more than 0.

    Source: van den Oord et al., 2018; He et al., Momentum Contrast, CVPR 2020, eq. 1.
    """
    queries = widen(queries)
    positive = (queries * widen(keys.detach())).sum(1, keepdim=True) / temperature  # (B, 1)
    negative = similarities(queries, queue.detach().to(queries.dtype), temperature).masked_fill(~filled, -torch.inf)  # (B, Q)
    return -torch.log_softmax(torch.cat([positive, negative], dim=1), dim=1)[:, 0].mean()
