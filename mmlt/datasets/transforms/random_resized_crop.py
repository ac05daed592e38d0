"""Random crops of random size and shape, resized to one size."""

import math

import torch
from torch import Tensor

from mmlt.arguments import number
from mmlt.datasets.transforms.base import BatchTransform
from mmlt.draw import Draw
from mmlt.errors import UserError
from mmlt.registry import TRANSFORMS

ATTEMPTS = 10
PRECISION = 2**22


@TRANSFORMS.register_module()
class RandomResizedCrop(BatchTransform):
    """Cut out a rectangle of random area, shape and place, then resize it with an antialiased linear filter.

    The first of ten draws that fits into the image is taken; if none does, the largest central rectangle of an allowed
    shape. The filter is Pillow's `BILINEAR`, which widens when it shrinks an image; the width changes first.

    Source: Szegedy et al., Going deeper with convolutions (CVPR 2015), section 6.

    Args:
        size: height and width of the result, in pixels.
        scale: smallest and largest part of the image's area.
        ratio: smallest and largest width / height; its logarithm is uniform.
    """

    def __init__(
        self,
        size: int,
        scale: tuple[float, float] = (0.08, 1.0),
        ratio: tuple[float, float] = (3 / 4, 4 / 3),
    ) -> None:
        self.size = number(self, 'size', size, least=1, whole=True)
        for name, (low, high) in dict(scale=scale, ratio=ratio).items():
            if not 0 < low <= high:
                raise UserError(f'RandomResizedCrop has {name}=({low}, {high}); give two numbers above 0, the smaller '
                                'first.')
        number(self, 'scale', scale[1], most=1)
        self.scale = scale
        self.ratio = ratio

    def __call__(self, images: Tensor, draw: Draw) -> Tensor:
        top, left, height, width = self.choose(draw, *images.shape[2:])
        columns = _resize_weights(left, width, images.shape[3], self.size)  # (B, size, W)
        rows = _resize_weights(top, height, images.shape[2], self.size)  # (B, size, H)
        # Rounded in between, like Pillow's two passes: (B, C, H, size), then (B, C, size, size).
        narrow = (images.double() @ columns.mT[:, None] + 0.5).floor_()
        return (rows[:, None] @ narrow + 0.5).clamp_(0, 255).to(torch.uint8)

    def choose(self, draw: Draw, height: int, width: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The rectangle of each image of that size: top, left, height and width, int64 (B,) each."""
        area = draw.uniform(ATTEMPTS, stream=0).double() * (self.scale[1] - self.scale[0]) + self.scale[0]
        low, high = math.log(self.ratio[0]), math.log(self.ratio[1])
        ratio = torch.exp(draw.uniform(ATTEMPTS, stream=1).double() * (high - low) + low)
        widths = (area * height * width * ratio).sqrt().round().to(torch.int64)  # (B, attempts)
        heights = (area * height * width / ratio).sqrt().round().to(torch.int64)
        fits = (widths > 0) & (widths <= width) & (heights > 0) & (heights <= height)
        first = fits.to(torch.uint8).argmax(1, keepdim=True)
        found = fits.any(1)
        largest_width = min(width, max(1, round(height * self.ratio[1])))
        largest_height = min(height, max(1, round(width / self.ratio[0])))
        chosen_width = torch.where(found, widths.gather(1, first).squeeze(1), largest_width)
        chosen_height = torch.where(found, heights.gather(1, first).squeeze(1), largest_height)
        place = draw.uniform(2, stream=2).double()
        place = torch.where(found[:, None], place, 0.5)
        top = (place[:, 0] * (height - chosen_height + 1)).floor().to(torch.int64)
        left = (place[:, 1] * (width - chosen_width + 1)).floor().to(torch.int64)
        return top, left, chosen_height, chosen_width


def _resize_weights(start: Tensor, length: Tensor, source: int, target: int) -> Tensor:
    """How much each of `source` pixels gives to each of `target`, float64 (B, target, source); rows sum to 1.

    Like Pillow's they are multiples of 2 ** -22: sums of grey levels are exact, in whichever order they are taken.

    Args:
        start: first pixel of the stretch that is resized, int64 (B,).
        length: pixels in it, int64 (B,).
        source: pixels in all.
        target: pixels of the result.
    """
    step = (length.double() / target)[:, None, None]
    centre = (torch.arange(target, device=start.device)[:, None] + 0.5) * step  # (B, target, 1)
    place = torch.arange(source, device=start.device) - start[:, None, None]  # (B, 1, source)
    weights = (1 - ((place + 0.5 - centre) / step.clamp(min=1)).abs()).clamp_(min=0)
    weights = weights * ((place >= 0) & (place < length[:, None, None]))
    return (weights / weights.sum(2, keepdim=True) * PRECISION + 0.5).floor_() / PRECISION
