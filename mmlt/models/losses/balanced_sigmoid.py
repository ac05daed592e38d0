"""Binary cross entropy with a prior shift for each class, for detection boxes and multi-label images."""

import torch
import torch.nn.functional as F
from torch import Tensor

from mmlt.models.losses.inputs import class_vector, widen

FREQUENCY_MARGIN = 1e-6


def balanced_sigmoid_loss(
    logits: Tensor,
    target: Tensor,
    class_frequency: Tensor,
    foreground: Tensor | None = None,
    class_weights: Tensor | None = None,
) -> Tensor:
    """Balanced sigmoid, the binary cross entropy of `z - log((1 - f) / f)`; at test time plain `sigmoid(z)`.

    Args:
        logits: (B, K), any floating dtype, one column a class and none for the background.
        target: (B, K) multi-hot, any dtype; all zero for a background row.
        class_frequency: (K,) share f of the training IMAGES that hold the class (not of the boxes), clamped to
            [1e-6, 1 - 1e-6].
        foreground: (B,) bool; only rows that are True are shifted, as a background box has no class prior. None for
            all rows, which is right for whole images with several labels.
        class_weights: (K,), each class's terms are multiplied by its weight; None for no weights.

    Returns:
        Scalar, float32 or wider: sum over the classes, mean over the rows.

    Source: Ren et al., Balanced Activation for Long-tailed Visual Recognition, arXiv 2008.11037.
    """
    logits = widen(logits)
    frequency = class_vector(class_frequency, logits, 'class_frequency').clamp(FREQUENCY_MARGIN, 1 - FREQUENCY_MARGIN)
    shift = -torch.logit(frequency)  # (K,), log((1 - f) / f), positive for rare classes
    if foreground is not None:
        shift = shift * foreground.to(logits.dtype)[:, None]  # (B, K)
    losses = F.binary_cross_entropy_with_logits(logits - shift, target.to(logits.dtype), reduction='none')
    if class_weights is not None:
        losses = losses * class_vector(class_weights, logits, 'class_weights')
    return losses.sum(dim=1).mean()
