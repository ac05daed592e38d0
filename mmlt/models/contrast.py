"""Momentum contrast for several experts: projectors, a momentum encoder and a queue; training only."""

import torch
from torch import Tensor, nn

from mmlt.arguments import number
from mmlt.models.losses.contrastive import info_nce_loss
from mmlt.models.momentum import FeatureQueue, MomentumEncoder
from mmlt.models.projection import Projector


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


class MomentumContrast(nn.Module):
    """Each expert tells the images of a batch apart: its view of an image against the momentum encoder's of another view.

    Source: He et al., Momentum Contrast, CVPR 2020; for each expert as in Li et al. (NCL), CVPR 2022, section 3.5.

    Args:
        backbone: the experts' backbone; the momentum encoder follows it and the projectors.
        in_channels: size C of an expert's feature.
        num_experts: number E of experts.
        dim: size D of a projection.
        queue_size: keys kept, at least the batch of all ranks.
        temperature: tau of InfoNCE, more than 0.
        momentum: of the momentum encoder.
    """

    def __init__(
        self,
        backbone: nn.Module,
        in_channels: int,
        num_experts: int,
        dim: int = 64,
        queue_size: int = 1024,
        temperature: float = 0.2,
        momentum: float = 0.999,
    ) -> None:
        super().__init__()
        self.temperature = number(self, 'temperature', temperature, above=0)
        self.projectors = ExpertProjectors(in_channels, dim, num_experts)
        self.encoder = MomentumEncoder([backbone, self.projectors], momentum)
        self.queue = FeatureQueue(queue_size, (num_experts, dim))

    def forward(self, features: Tensor, key_images: Tensor, labels: Tensor) -> Tensor:
        """The sum of the experts' InfoNCE losses, a scalar.

        Args:
            features: the experts' features of one view, (B, E, C).
            key_images: the other view, normalised, (B, 3, H, W).
            labels: int64 (B,), kept in the queue beside the keys.
        """
        queries, keys = self.projectors(features), self.encoder(key_images)  # each (B, E, D)
        filled = self.queue.filled
        losses = [
            info_nce_loss(own, key, queued, filled, self.temperature)
            for own, key, queued in zip(
                queries.unbind(1), keys.unbind(1), self.queue.features.unbind(1), strict=True
            )
        ]
        self.queue.hold(keys, labels)
        return torch.stack(losses).sum()
