"""From whatever a backbone returns to one vector an image."""

import torch
import torch.nn.functional as F
from torch import Tensor


def pool_features(features: Tensor | tuple | list) -> Tensor:
    """One vector an image from whatever a backbone returns.

    Args:
        features: a tensor, or a tuple whose last entry counts: a map (B, C, H, W) is averaged over its places,
            tokens (B, L, C) over the tokens, a vector (B, C) stays.

    Returns:
        Tensor (B, C).
    """
    while isinstance(features, (tuple, list)):
        features = features[-1]
    if features.dim() == 4:
        return torch.flatten(F.adaptive_avg_pool2d(features, 1), 1)
    return features.mean(dim=1) if features.dim() == 3 else features
