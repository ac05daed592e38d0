"""Draws from a symmetric beta distribution as a function of one uniform number each."""

import numpy as np
import torch
from torch import Tensor, nn

GRID = 4096


class BetaQuantiles(nn.Module):
    """Quantile function of Beta(alpha, alpha): a counter-based uniform number in, a draw of the distribution out.

    The quantiles stand in a table of 4097 points between which it is linear; for `alpha=1` it is the identity.

    Args:
        alpha: above 0.
    """

    def __init__(self, alpha: float) -> None:
        super().__init__()
        self.alpha = alpha
        points = np.linspace(0, 1, GRID + 1)
        if alpha != 1:
            from scipy.stats import beta  # takes a second to import, and alpha is 1 as a rule

            points = beta.ppf(points, alpha, alpha)
        self.register_buffer('table', torch.from_numpy(points).float(), persistent=False)

    def forward(self, uniform: Tensor) -> Tensor:
        """Map uniform (B,) float32 in [0, 1) to draws (B,) float32 in [0, 1]."""
        if self.alpha == 1:
            return uniform
        place = uniform * GRID
        left = place.long()
        return torch.lerp(self.table[left], self.table[left + 1], place - left)
