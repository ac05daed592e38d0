"""Cutout."""

import torch
from torch import Tensor

from mmlt.arguments import number
from mmlt.datasets.transforms.base import BatchTransform
from mmlt.draw import Draw
from mmlt.registry import TRANSFORMS


@TRANSFORMS.register_module()
class Cutout(BatchTransform):
    """Fill one square with black; its centre is any pixel, and what lies beyond the border is cut off.

    Source: DeVries and Taylor, Improved regularization of convolutional neural networks with Cutout (2017). A square
    of even size has one row and one column more before its centre than after it, as in the authors' code.

    Args:
        size: side of the square, in pixels.
    """

    def __init__(self, size: int = 16) -> None:
        self.size = number(self, 'size', size, least=1, whole=True)

    def __call__(self, images: Tensor, draw: Draw) -> Tensor:
        height, width = images.shape[2:]
        row = self._covered(draw.integers(0, height, 1, stream=0), height)
        column = self._covered(draw.integers(0, width, 1, stream=1), width)
        hole = row[:, :, None] & column[:, None, :]  # (B, H, W)
        return images.masked_fill(hole[:, None], 0)

    def _covered(self, centre: Tensor, length: int) -> Tensor:
        """Which of `length` places the square covers, bool (B, length), for centres int64 (B, 1)."""
        offset = torch.arange(length, device=centre.device) - (centre - self.size // 2)
        return (offset >= 0) & (offset < self.size)
