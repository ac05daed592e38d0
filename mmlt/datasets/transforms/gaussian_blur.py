"""Random Gaussian blur."""

import math

import torch
from torch import Tensor
from torch.nn import functional

from mmlt.datasets.transforms.base import BatchTransform, apply_where, check_probability
from mmlt.draw import Draw
from mmlt.errors import UserError
from mmlt.registry import TRANSFORMS

PRECISION = 2**22


@TRANSFORMS.register_module()
class GaussianBlur(BatchTransform):
    """Smooth an image with a Gaussian of its own width.

    Source: the augmentation of SimCLR (Chen et al., ICML 2020) and MoCo v2.

    Args:
        sigma: smallest and largest standard deviation, in pixels, between which an image's is uniform.
        probability: how often.
    """

    def __init__(self, sigma: tuple[float, float] = (0.1, 2.0), probability: float = 0.5) -> None:
        if not 0 < sigma[0] <= sigma[1]:
            raise UserError(f'GaussianBlur has sigma={sigma}; give two numbers above 0, the smaller first.')
        self.sigma = sigma
        self.probability = check_probability('the probability of GaussianBlur', probability)

    def __call__(self, images: Tensor, draw: Draw) -> Tensor:
        chosen = draw.uniform(1, stream=0).squeeze(1) < self.probability
        sigma = self.sigma[0] + (self.sigma[1] - self.sigma[0]) * draw.uniform(1, stream=1).squeeze(1)
        return apply_where(images, chosen, self._blur, sigma)

    def _blur(self, images: Tensor, sigma: Tensor) -> Tensor:
        """Images smoothed to three times the largest deviation, with sigma (B,); edge pixels go on outside."""
        radius = math.ceil(3 * self.sigma[1])
        offsets = torch.arange(-radius, radius + 1, device=images.device)
        weights = torch.exp(-0.5 * (offsets / sigma.double()[:, None]) ** 2)
        # Multiples of 2 ** -22, (B, taps): sums of grey levels are exact, in whichever order they are taken.
        weights = (weights / weights.sum(1, keepdim=True) * PRECISION).round() / PRECISION
        values = images.double()
        for _ in range(2):  # along the rows, then along the columns
            padded = functional.pad(values, (radius, radius, 0, 0), mode='replicate')
            windows = padded.unfold(3, len(offsets), 1)  # (B, C, H, W, taps)
            values = torch.einsum('bchwt,bt->bchw', windows, weights).transpose(2, 3)
        return (values + 0.5).clamp_(0, 255).to(torch.uint8)
