"""Operations that move pixels, each with a strength of its own an image, in Pillow's arithmetic.

An operation maps images uint8 (B, C, H, W) and magnitudes (B,) to uint8 (B, C, H, W). What comes from outside the image
is `fill`, grey 128 by default. Pixel (x, y) has its centre at (x + 0.5, y + 0.5).
"""

import torch
from torch import Tensor

GREY = 128
FIXED = 65536  # Pillow rotates in 16.16 fixed point


def translate_x(images: Tensor, magnitude: Tensor, fill: int = GREY) -> Tensor:
    """Move to the left by `magnitude` widths, to the nearest pixel."""
    width = images.shape[3]
    columns = torch.arange(width, dtype=torch.float64, device=images.device) + 0.5
    source = (columns + magnitude.double()[:, None] * width).floor().to(torch.int64)  # (B, W)
    inside = (source >= 0) & (source < width)
    index = source.clamp(0, width - 1)[:, None, None, :].expand(images.shape)
    return images.gather(3, index).masked_fill_(~inside[:, None, None, :], fill)


def translate_y(images: Tensor, magnitude: Tensor, fill: int = GREY) -> Tensor:
    """Move up by `magnitude` heights, to the nearest pixel."""
    return translate_x(images.transpose(2, 3), magnitude, fill).transpose(2, 3)


def rotate(images: Tensor, magnitude: Tensor, fill: int = GREY) -> Tensor:
    """Rotate counter-clockwise about the centre by `magnitude` degrees, to the nearest pixel."""
    height, width = images.shape[2:]
    angle = -torch.deg2rad(magnitude.double())
    cos, sin = angle.cos(), angle.sin()
    # Where the centre of the first pixel comes from, then a step of (cos, -sin) a column and (sin, cos) a row.
    left = cos * (0.5 - width / 2) + sin * (0.5 - height / 2) + width / 2
    top = -sin * (0.5 - width / 2) + cos * (0.5 - height / 2) + height / 2
    cos, sin, minus_sin, left, top = ((v * FIXED + 0.5).floor().to(torch.int64)[:, None, None]
                                      for v in (cos, sin, -sin, left, top))
    columns = torch.arange(width, device=images.device)
    rows = torch.arange(height, device=images.device)[:, None]
    source_x = (left + rows * sin + columns * cos) >> 16  # (B, H, W)
    source_y = (top + rows * cos + columns * minus_sin) >> 16
    inside = (source_x >= 0) & (source_x < width) & (source_y >= 0) & (source_y < height)
    index = torch.where(inside, source_y * width + source_x, 0).flatten(1)[:, None]  # (B, 1, HW)
    moved = images.flatten(2).gather(2, index.expand(-1, images.shape[1], -1)).view(images.shape)
    return moved.masked_fill_(~inside[:, None], fill)


def shear_x(images: Tensor, magnitude: Tensor, fill: int = GREY) -> Tensor:
    """Move each row to the left by `magnitude` times its height below the top edge, with cubic interpolation.

    Rows stay rows, so Pillow's two-dimensional cubic (a = -0.5) is one-dimensional here. It repeats the edge pixels
    and truncates.
    """
    height, width = images.shape[2:]
    columns = torch.arange(width, dtype=torch.float64, device=images.device) + 0.5
    rows = torch.arange(height, dtype=torch.float64, device=images.device)[:, None] + 0.5
    source = columns + magnitude.double()[:, None, None] * rows  # (B, H, W)
    inside = (source >= 0) & (source < width)
    source = source - 0.5
    nearest = source.floor()
    step = (source - nearest)[:, None]  # (B, 1, H, W), in [0, 1)
    nearest = nearest.to(torch.int64)[:, None]
    before, start, end, after = (
        images.gather(3, (nearest + tap).clamp_(0, width - 1).expand(images.shape)).to(torch.int16)
        for tap in (-1, 0, 1, 2)
    )
    # Horner's rule with whole coefficients: a flat stretch keeps its value to the bit.
    linear = end - before
    square = 2 * (before - start) + end - after
    cube = start - before - end + after
    value = start + step * (linear + step * (square + step * cube))
    return value.clamp_(0, 255).to(torch.uint8).masked_fill_(~inside[:, None], fill)


def shear_y(images: Tensor, magnitude: Tensor, fill: int = GREY) -> Tensor:
    """Move each column up by `magnitude` times its distance from the left edge, with cubic interpolation."""
    return shear_x(images.transpose(2, 3), magnitude, fill).transpose(2, 3)
