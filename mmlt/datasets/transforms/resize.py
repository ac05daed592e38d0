"""All images at another size."""

import torch
from torch import Tensor
from torch.nn import functional

from mmlt.datasets.transforms.base import BatchTransform
from mmlt.draw import Draw
from mmlt.errors import UserError
from mmlt.registry import TRANSFORMS


@TRANSFORMS.register_module()
class Resize(BatchTransform):
    """Scale to a fixed size with an antialiased linear filter (up or down); sides are scaled each by its own factor.

    Nothing is drawn, so that it belongs into the train and the test transforms alike.

    Args:
        size: height and width of the result, in pixels; one number is a square.

    Raises:
        UserError: a size that is not positive, or not one or two whole numbers.
    """

    def __init__(self, size: int | tuple[int, int]) -> None:
        sides = tuple(size) if isinstance(size, (tuple, list)) else (size, size)
        if len(sides) != 2 or not all(isinstance(side, int) and side > 0 for side in sides):
            raise UserError(f'Resize has size={size}; give 1 or more pixels, one number or (height, width).')
        self.size = sides

    def __call__(self, images: Tensor, draw: Draw) -> Tensor:
        scaled = functional.interpolate(
            images.to(torch.float32), self.size, mode='bilinear', align_corners=False, antialias=True
        )
        return scaled.round_().clamp_(0, 255).to(torch.uint8)
