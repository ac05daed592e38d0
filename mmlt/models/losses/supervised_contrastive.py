"""Supervised contrastive loss."""

import torch
from torch import Tensor

from mmlt.models.losses.inputs import widen
from mmlt.models.losses.similarity import counted_keys, similarities


def supervised_contrastive_loss(
    features: Tensor,
    target: Tensor,
    temperature: float,
    keys: Tensor | None = None,
    key_labels: Tensor | None = None,
) -> Tensor:
    """Draw an anchor to the keys of its class, against all keys.

    For each anchor the mean over its positives p of `-log(exp(f.p / T) / sum over keys a of exp(f.a / T))`. The keys are
    the other anchors and, where given, further ones. Anchors without a positive are left out of the batch's mean; a
    batch of such anchors alone has the loss 0.

    Args:
        features: (B, D) unit vectors, the anchors (of all views), any floating dtype.
        target: (B,) int64.
        temperature: T, more than 0.
        keys: (M, D) further unit vectors, for instance a queue.
        key_labels: (M,) int64 labels of `keys`; -1 for a key that does not count.

    Returns:
        Scalar, float32 or wider.

    Raises:
        ValueError: `temperature` is not more than 0.

    Source: Khosla et al., Supervised Contrastive Learning, NeurIPS 2020, eq. 2 (the mean outside the logarithm).
    """
    features = widen(features)
    all_keys = features if keys is None else torch.cat([features, keys.to(features.dtype)])
    labels = target if keys is None else torch.cat([target, key_labels])
    counted = counted_keys(labels, len(target))  # (B, B + M)
    row = similarities(features, all_keys, temperature)
    positive = counted & (labels == target[:, None])
    number = positive.sum(dim=1)  # (B,)
    # A row of no key at all would give -inf and a NaN gradient: it takes its own similarity, and is left out below.
    normaliser = row.masked_fill(~(counted | (number == 0)[:, None]), -torch.inf).logsumexp(dim=1)
    attraction = row.masked_fill(~positive, 0).sum(dim=1) / number.clamp_min(1)
    losses = torch.where(number > 0, normaliser - attraction, 0)
    return losses.sum() / (number > 0).sum().clamp_min(1)
