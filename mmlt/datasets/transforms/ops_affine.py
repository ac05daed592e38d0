"""Affine maps of images, each with one of its own, interpolated in Pillow's arithmetic."""

import torch
from torch import Tensor

Colour = tuple[int, int, int]


def affine(images: Tensor, matrix: Tensor, cubic: bool, fill: Colour) -> Tensor:
    """What Pillow's `transform` gives: the pixel at (x, y) comes from (a x + b y + c, d x + e y + f); centres lie at halves.

    Args:
        images: uint8 (B, 3, H, W).
        matrix: float64 (B, 6), a to f, in pixels.
        cubic: interpolate by cubics (a = -0.5) over 4 x 4 pixels, else linearly over 2 x 2; both truncate.
        fill: colour of what comes from outside the image.
    """
    height, width = images.shape[2:]
    a, b, c, d, e, f = (part[:, None, None] for part in matrix.double().unbind(1))
    x = torch.arange(width, dtype=torch.float64, device=images.device) + 0.5
    y = torch.arange(height, dtype=torch.float64, device=images.device)[:, None] + 0.5
    x, y = a * x + b * y + c, d * x + e * y + f  # (B, H, W) each
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    x, y = x - 0.5, y - 0.5
    column, row = x.floor(), y.floor()
    across, down = (x - column)[:, None], (y - row)[:, None]  # (B, 1, H, W), in [0, 1)
    column, row = column.to(torch.int64), row.to(torch.int64)
    pixels = images.flatten(2)  # (B, 3, HW)

    def at(right: int, below: int) -> Tensor:
        """The pixel that many to the right and below; beyond an edge its outermost."""
        places = (row + below).clamp(0, height - 1) * width + (column + right).clamp(0, width - 1)
        return pixels.gather(2, places.flatten(1)[:, None].expand(-1, 3, -1)).view(images.shape).double()

    if cubic:
        rows = [_cubic([at(right, below) for right in (-1, 0, 1, 2)], across) for below in (-1, 0, 1, 2)]
        values = _cubic(rows, down)
    else:
        upper, lower = (at(0, below) + (at(1, below) - at(0, below)) * across for below in (0, 1))
        values = upper + (lower - upper) * down
    colour = torch.tensor(fill, dtype=torch.uint8, device=images.device)[:, None, None]
    return torch.where(inside[:, None], values.clamp_(0, 255).to(torch.uint8), colour)


def _cubic(taps: list[Tensor], step: Tensor) -> Tensor:
    """The cubic through four neighbours, `step` of the way from the second to the third."""
    before, start, end, after = taps
    linear = end - before
    square = 2 * (before - start) + end - after
    cube = start - before - end + after
    return start + step * (linear + step * (square + step * cube))


def shear_x(images: Tensor, magnitude: Tensor, cubic: bool, fill: Colour) -> Tensor:
    """Move each row to the left by `magnitude` (B,) times its height below the top edge."""
    return affine(images, _matrix(images, magnitude, {1: magnitude}), cubic, fill)


def shear_y(images: Tensor, magnitude: Tensor, cubic: bool, fill: Colour) -> Tensor:
    """Move each column up by `magnitude` (B,) times its distance from the left edge."""
    return affine(images, _matrix(images, magnitude, {3: magnitude}), cubic, fill)


def translate_x(images: Tensor, magnitude: Tensor, cubic: bool, fill: Colour) -> Tensor:
    """Move to the left by `magnitude` (B,) widths."""
    return affine(images, _matrix(images, magnitude, {2: magnitude * images.shape[3]}), cubic, fill)


def translate_y(images: Tensor, magnitude: Tensor, cubic: bool, fill: Colour) -> Tensor:
    """Move up by `magnitude` (B,) heights."""
    return affine(images, _matrix(images, magnitude, {5: magnitude * images.shape[2]}), cubic, fill)


def rotate(images: Tensor, magnitude: Tensor, cubic: bool, fill: Colour) -> Tensor:
    """Rotate counter-clockwise about the centre by `magnitude` (B,) degrees."""
    angle = -torch.deg2rad(magnitude.double())
    cos, sin = angle.cos(), angle.sin()
    middle_x, middle_y = images.shape[3] / 2, images.shape[2] / 2
    left = middle_x - cos * middle_x - sin * middle_y
    top = middle_y + sin * middle_x - cos * middle_y
    return affine(images, torch.stack([cos, sin, left, -sin, cos, top], dim=1), cubic, fill)


def _matrix(images: Tensor, magnitude: Tensor, changed: dict[int, Tensor]) -> Tensor:
    """The maps (B, 6) that change nothing, but for these entries."""
    matrix = torch.tensor([1.0, 0, 0, 0, 1, 0], dtype=torch.float64, device=images.device).repeat(len(magnitude), 1)
    for place, values in changed.items():
        matrix[:, place] = values.double()
    return matrix
