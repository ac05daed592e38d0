"""From features to the unit vectors that contrastive branches and distillation compare."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmlt.arguments import number
from mmlt.errors import UserError
from mmlt.models.backbones.pooling import pool_features
from mmlt.models.heads.classification import init_linear
from mmlt.models.losses.inputs import widen
from mmlt.registry import MODELS


class PooledFeatures(nn.Module):
    """`pool_features` as a module, so that a network up to its feature vector is a list of modules."""

    def forward(self, features: Tensor | tuple | list) -> Tensor:
        """Map what a backbone or neck returns to (B, C)."""
        return pool_features(features)


class Projector(nn.Module):
    """An MLP whose outputs have length one.

    Args:
        in_channels: size C of the feature.
        hidden: sizes of the hidden layers, each followed by a ReLU.
        out_channels: size D of the projection.
        batch_norm: normalise each hidden layer over the batch.
        last_init: of the last layer, see `LinearHead`; the others have torch's own.
    """

    def __init__(
        self,
        in_channels: int,
        hidden: Sequence[int],
        out_channels: int,
        batch_norm: bool = False,
        last_init: str = 'torch',
    ) -> None:
        super().__init__()
        if isinstance(hidden, str):
            raise UserError(f'Projector: hidden must be a list of sizes, not {hidden!r}.')
        for size in (in_channels, *hidden, out_channels):
            number(self, 'each size', size, least=1, whole=True)
        layers: list[nn.Module] = []
        for before, after in zip((in_channels, *hidden), hidden, strict=False):
            layers.append(nn.Linear(before, after, bias=not batch_norm))  # normalisation would take a bias away again
            if batch_norm:
                layers.append(nn.BatchNorm1d(after))
            layers.append(nn.ReLU(inplace=True))
        self.out_channels = out_channels
        self.layers = nn.Sequential(*layers, nn.Linear((in_channels, *hidden)[-1], out_channels))
        init_linear(self.layers[-1], last_init)

    def forward(self, features: Tensor) -> Tensor:
        """Map features (B, C) to unit vectors (B, D), float32 or wider."""
        return F.normalize(widen(self.layers(features)), dim=1)


class ExpertProjectors(nn.Module):
    """A two-layer projector for each expert.

    Args:
        in_channels: size C of an expert's feature, and of the hidden layer.
        dim: size D of a projection.
        num_experts: number E of experts.
    """

    def __init__(self, in_channels: int, dim: int, num_experts: int) -> None:
        super().__init__()
        self.projectors = nn.ModuleList(Projector(in_channels, [in_channels], dim) for _ in range(num_experts))

    def forward(self, features: Tensor) -> Tensor:
        """Map features (B, E, C) to unit vectors (B, E, D), float32 or wider."""
        parts = zip(self.projectors, features.unbind(1), strict=True)
        return torch.stack([projector(own) for projector, own in parts], dim=1)


@MODELS.register_module()
class ProjectionNeck(nn.Module):
    """A neck: linear layer with bias, ReLU, length one. The head and the distillation read what it gives.

    Args:
        in_channels: size C of the backbone's feature.
        out_channels: size D of the projection; to distil several teachers the sum of the sizes of their features.

    Source: Iscen et al., Class-Balanced Distillation for Long-Tailed Visual Recognition, BMVC 2021, and its code.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.linear = nn.Linear(in_channels, out_channels)
        nn.init.kaiming_normal_(self.linear.weight)

    def forward(self, features: Tensor | tuple | list) -> Tensor:
        """Map what a backbone returns, pooled to (B, C), to vectors (B, D) of length one, float32 or wider."""
        return F.normalize(widen(F.relu(self.linear(pool_features(features)))), dim=1)
