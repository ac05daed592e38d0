"""Label-distribution-aware margins."""

import torch
from torch import Tensor

from mmlt.models.losses.cross_entropy import cross_entropy_loss
from mmlt.models.losses.inputs import class_vector, smallest_count, widen


def ldam_margins(class_counts: Tensor, max_margin: float) -> Tensor:
    """Margin of each class, `m_c = max_margin * n_c ** (-1/4) / max_j n_j ** (-1/4)`.

    Args:
        class_counts: (C,) floating; a class with no image has `max_margin`, and does not change the others.
        max_margin: margin of the smallest class that has an image.

    Returns:
        (C,) in the dtype of `class_counts`.
    """
    smallest = smallest_count(class_counts)
    return max_margin * (smallest / class_counts.clamp_min(smallest)).pow(0.25)


def ldam_loss(
    cosine: Tensor,
    target: Tensor,
    class_counts: Tensor,
    max_margin: float,
    scale: float,
    class_weights: Tensor | None = None,
    sample_weights: Tensor | None = None,
) -> Tensor:
    """LDAM, the cross entropy of `scale * (cosine - m_y)` in the target's column and `scale * cosine` elsewhere.

    The scale is applied here, so the head must give plain cosines. Switching `class_weights` on late is LDAM-DRW.

    Args:
        cosine: (B, C) cosines of feature and class weight in [-1, 1], not scaled.
        target: (B,) int64 in [0, C).
        class_counts: (C,) training images of each class.
        max_margin: margin of the smallest class (0.5; 0.3 on iNaturalist).
        scale: inverse temperature of the softmax (30).
        class_weights: (C,), with torch's weighted mean, or None.
        sample_weights: (B,), how many times each sample counts in the mean; None for once each.

    Returns:
        Scalar, float32 or wider.

    Source: Cao et al., Learning Imbalanced Datasets with Label-Distribution-Aware Margin Loss, NeurIPS 2019, eq. 13.
    """
    cosine = widen(cosine)
    margins = ldam_margins(class_vector(class_counts, cosine), max_margin)  # (C,)
    is_target = target[:, None] == torch.arange(cosine.shape[1], device=cosine.device)  # (B, C)
    return cross_entropy_loss(scale * (cosine - margins * is_target), target, class_weights, sample_weights)
