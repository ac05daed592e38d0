"""From whatever a backbone returns to one vector an image."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmlt.errors import UserError


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


def feature_channels(backbone: nn.Module, neck: nn.Module | None = None) -> int:
    """Size C of the feature vector that a backbone, and the neck behind it, give.

    It is what the backbone tells (`out_channels`), or what it gives for an image of zeros; weights, statistics and random
    numbers stay as they are.

    Raises:
        UserError: it takes no such image.
    """
    told = getattr(backbone, 'out_channels', None)
    if neck is None and isinstance(told, int):
        return told
    size = getattr(backbone, 'img_size', 64)  # a ViT takes its own size alone
    size = tuple(size) if isinstance(size, (tuple, list)) else (size, size)
    training = {module: module.training for module in (*backbone.modules(), *(neck.modules() if neck else ()))}
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            backbone.eval()
            features = backbone(torch.zeros(1, 3, *size))
            if neck is not None:
                neck.eval()
                features = neck(features)
        return pool_features(features).shape[-1]
    except Exception as error:
        raise UserError(
            f'{type(backbone).__name__} does not tell how many features it gives ({type(error).__name__}: {error}): set '
            'model.head.in_channels.'
        ) from error
    finally:
        for module, mode in training.items():
            module.training = mode
