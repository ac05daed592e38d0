"""Cross entropy and focal loss, with optional class weights (class-balanced when they are effective-number weights)."""

import torch
import torch.nn.functional as F
from torch import Tensor

from mmlt.models.losses.inputs import batch_mean, class_vector, widen


def cross_entropy_loss(
    logits: Tensor, target: Tensor, class_weights: Tensor | None = None, sample_weights: Tensor | None = None
) -> Tensor:
    """Softmax cross entropy.

    With class weights the mean is torch's weighted one, `sum(w_y * ce) / sum(w_y)`: it divides by the weights of the
    samples in the batch, so a common scale of the weights changes nothing, and neither do weights in a batch of one
    class.

    Args:
        logits: (B, C), any floating dtype.
        target: (B,) int64 in [0, C).
        class_weights: (C,), at least 0; None for no weights.
        sample_weights: (B,), how many times each sample counts in the mean; None for once each.

    Returns:
        Scalar, float32 or wider.
    """
    logits = widen(logits)
    weight = None if class_weights is None else class_vector(class_weights, logits, 'class_weights')
    if sample_weights is None:
        return F.cross_entropy(logits, target, weight)
    return batch_mean(F.cross_entropy(logits, target, reduction='none'), target, weight, sample_weights)


def focal_loss(
    logits: Tensor,
    target: Tensor,
    gamma: float,
    class_weights: Tensor | None = None,
    sample_weights: Tensor | None = None,
) -> Tensor:
    """Softmax focal loss, `mean(w_y * (1 - p_y) ** gamma * ce)`.

    The class weight multiplies the focal term from outside and `p_y` stays the predicted probability; the mean is the
    plain one over the batch (not divided by the weights). The LDAM-DRW code base puts the weight inside the
    cross entropy instead, which turns `p_y` into `p_y ** w_y`; without weights both are the same.

    Args:
        logits: (B, C), any floating dtype.
        target: (B,) int64 in [0, C).
        gamma: focusing exponent, at least 0; 0 is the plain mean of the weighted cross entropy.
        class_weights: (C,), at least 0; None for no weights.
        sample_weights: (B,), how many times each sample counts in the mean; None for once each.

    Returns:
        Scalar, float32 or wider.

    Source: Lin et al., Focal Loss for Dense Object Detection, ICCV 2017, eq. 4, over a softmax.
    """
    logits = widen(logits)
    cross_entropy = F.cross_entropy(logits, target, reduction='none')  # (B,)
    # 1 - p without cancellation; the floor keeps the gradient finite where p is exactly 1 and gamma below 1.
    doubt = (-torch.expm1(-cross_entropy)).clamp_min(torch.finfo(logits.dtype).tiny)
    losses = doubt.pow(gamma) * cross_entropy
    if class_weights is not None:
        losses = class_vector(class_weights, logits, 'class_weights')[target] * losses
    return batch_mean(losses, target, None, sample_weights)
