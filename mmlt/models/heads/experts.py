"""One head an expert."""

import torch
from torch import Tensor, nn

from mmlt.registry import MODELS


class ExpertHeads(nn.Module):
    """A head of its own for each expert, all built from one config.

    Args:
        head: config of a head with `num_classes`.
        num_experts: number E of experts.
    """

    def __init__(self, head: dict, num_experts: int) -> None:
        super().__init__()
        self.heads = nn.ModuleList(MODELS.build(head) for _ in range(num_experts))
        self.num_classes = self.heads[0].num_classes

    def forward(self, features: Tensor) -> Tensor:
        """Map the experts' features (B, E, C) to their logits (B, E, K)."""
        return torch.stack([head(own) for head, own in zip(self.heads, features.unbind(1), strict=True)], dim=1)
