"""Heads that turn a feature vector into logits."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmlt.arguments import number
from mmlt.errors import UserError
from mmlt.models.losses.inputs import widen
from mmlt.registry import MODELS


def init_linear(layer: nn.Linear, init: str) -> None:
    """Draw a linear layer's weight anew from Kaiming's normal distribution, or leave torch's own.

    Raises:
        UserError: `init` is neither `kaiming_normal` nor `torch`.
    """
    if init == 'kaiming_normal':
        nn.init.kaiming_normal_(layer.weight)
    elif init != 'torch':
        raise UserError(f'{type(layer).__name__}: init is kaiming_normal or torch, not {init!r}.')


def check_width(features: Tensor, in_channels: int) -> None:
    """Refuse features (B, C) of another size than the head was made for.

    Raises:
        UserError: C is not `in_channels`.
    """
    if features.shape[1] != in_channels:
        raise UserError(
            f'the backbone gives {features.shape[1]} features and the head takes {in_channels}: '
            f'set model.head.in_channels={features.shape[1]}.'
        )


@MODELS.register_module()
class LinearHead(nn.Linear):
    """A linear classifier.

    Args:
        in_channels: size C of the feature vector.
        num_classes: number K of classes.
        bias: whether each class has a bias.
        init: where the weight is drawn from: `kaiming_normal`, of deviation sqrt(2 / C), as in the LDAM recipe, or `torch`, a
            uniform distribution of deviation sqrt(1 / (3 C)), as a plain `nn.Linear`.
    """

    def __init__(self, in_channels: int, num_classes: int, bias: bool = True, init: str = 'kaiming_normal') -> None:
        super().__init__(in_channels, num_classes, bias)
        self.num_classes = num_classes
        init_linear(self, init)

    def forward(self, features: Tensor) -> Tensor:
        """Map features (B, C) to logits (B, K)."""
        check_width(features, self.in_features)
        return super().forward(features)


@MODELS.register_module()
class CosineHead(nn.Module):
    """`scale` times the cosine between feature and class weight; no bias. In float32 or wider, also under autocast.

    The scale multiplies the rounding of half precision too: in bfloat16 a logit near 30 is known to an eighth.

    Args:
        in_channels: size C of the feature vector.
        num_classes: number K of classes.
        scale: factor on the cosine. Leave it 1 where the loss scales (LDAM), never scale twice.
    """

    def __init__(self, in_channels: int, num_classes: int, scale: float = 1.0) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.scale = number(self, 'scale', scale, above=0)
        self.weight = nn.Parameter(F.normalize(torch.empty(num_classes, in_channels).uniform_(-1, 1), dim=1))

    def forward(self, features: Tensor) -> Tensor:
        """Map features (B, C) to scaled cosines (B, K) in [-scale, scale], float32 or wider."""
        check_width(features, self.weight.shape[1])
        with torch.autocast(features.device.type, enabled=False):
            return self.scale * F.linear(F.normalize(widen(features), dim=1), F.normalize(self.weight, dim=1))
