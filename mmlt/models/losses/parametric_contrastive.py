"""Parametric contrastive loss: class logits and similarities in one softmax."""

import torch
from torch import Tensor

from mmlt.models.losses.inputs import class_vector, widen
from mmlt.models.losses.similarity import counted_keys, similarities


def parametric_contrastive_loss(
    logits: Tensor,
    features: Tensor,
    target: Tensor,
    keys: Tensor,
    key_labels: Tensor,
    class_counts: Tensor,
    alpha: float,
    temperature: float,
) -> Tensor:
    """PaCo: a row `[z + log pi, f . keys / T]` of an anchor goes through one softmax; its positives are averaged.

    Positives are the anchor's class logit with the weight 1 and the keys of its class with the weight `alpha` each. The
    keys are the other anchors and `keys`. `alpha=0` is the cross entropy of the row; with no key at all it is
    `balanced_softmax_loss`. A class with no image has the logit -inf, as there.

    Args:
        logits: (B, C) raw logits of the anchors, any floating dtype.
        features: (B, D) unit vectors of the anchors.
        target: (B,) int64 in [0, C).
        keys: (M, D) further unit vectors: another view's, a queue's.
        key_labels: (M,) int64 labels of `keys`; -1 for a key that does not count.
        class_counts: (C,) training images of each class.
        alpha: weight of a positive key, at least 0.
        temperature: T of the similarities, more than 0; the logits have none.

    Returns:
        Scalar, float32 or wider.

    Raises:
        ValueError: `temperature` is not more than 0.

    Source: Cui et al., Parametric Contrastive Learning, ICCV 2021, eq. 4, and its code.
    """
    logits, features = widen(logits), widen(features)
    counts = class_vector(class_counts, logits)
    adjusted = logits + (counts / counts.sum()).log()  # pi, not n: beside similarities a constant matters
    labels = torch.cat([target, key_labels])
    counted = counted_keys(labels, len(target))  # (B, B + M)
    row = similarities(features, torch.cat([features, keys.to(features.dtype)]), temperature)
    positive = counted & (labels == target[:, None])
    normaliser = torch.cat([adjusted, row.masked_fill(~counted, -torch.inf)], dim=1).logsumexp(dim=1)  # (B,)
    own = adjusted.gather(1, target[:, None]).squeeze(1)
    attraction = own + alpha * row.masked_fill(~positive, 0).sum(dim=1)
    number = positive.sum(dim=1, dtype=row.dtype)
    return (normaliser - attraction / (1 + alpha * number)).mean()
