"""A turn of the hue, through Pillow's 8-bit HSV and equal to it to the bit."""

from functools import cache

import torch
from torch import Tensor

# For each sixth of the circle, which part red, green and blue are: 0 low, 1 falling, 2 rising, 3 the value.
SIXTHS = ((3, 2, 0), (1, 3, 0), (0, 3, 2), (0, 1, 3), (2, 0, 3), (3, 0, 1))


@cache
def sixths(device: torch.device) -> Tensor:
    """`SIXTHS` as int64 (6, 3), sent to a device once: to send it in each step would be to wait there."""
    return torch.tensor(SIXTHS, device=device)


def hue(images: Tensor, magnitude: Tensor) -> Tensor:
    """Turn the hue by `magnitude` of the colour circle, in [-1, 1]; a grey image has none.

    Args:
        images: uint8 (B, 1, H, W) or RGB (B, 3, H, W).
        magnitude: (B,).

    Returns:
        uint8, of the same shape.
    """
    if images.shape[1] == 1:
        return images
    angle, saturation, value = rgb_to_hsv(images).unbind(1)
    turn = (magnitude.double() * 255).trunc().to(torch.int64) % 256
    angle = angle + turn.to(torch.uint8)[:, None, None]  # wraps round at 256
    return hsv_to_rgb(torch.stack((angle, saturation, value), dim=1))


def rgb_to_hsv(images: Tensor) -> Tensor:
    """Pillow's mode HSV of RGB images: uint8 (B, 3, H, W) to uint8 (B, 3, H, W)."""
    value = images.amax(1)
    spread = (value - images.amin(1)).to(torch.float32)  # (B, H, W)
    coloured = spread > 0
    divisor = torch.where(coloured, spread, 1.0)
    red, green, blue = ((value[:, None] - images).to(torch.float32) / divisor[:, None]).unbind(1)
    sixth = torch.where(images[:, 0] == value, blue - green,
                        torch.where(images[:, 1] == value, 2.0 + red.double() - blue, 4.0 + green.double() - red))
    sixth = sixth.to(torch.float32).double()
    angle = ((sixth / 6.0 + 1.0) % 1.0).to(torch.float32).double() * 255.0
    saturation = (divisor / value).double() * 255.0
    angle, saturation = (torch.where(coloured, part, 0.0).to(torch.uint8) for part in (angle, saturation))
    return torch.stack((angle, saturation, value), dim=1)


def hsv_to_rgb(images: Tensor) -> Tensor:
    """Pillow's RGB of images in its mode HSV: uint8 (B, 3, H, W) to uint8 (B, 3, H, W)."""
    angle, saturation, value = images.double().unbind(1)
    saturation = saturation / 255.0
    sixth = angle * 6.0 / 255.0
    sector = sixth.floor()
    rest = sixth - sector
    low, falling, rising = (
        (value * (1.0 - part) + 0.5).floor()
        for part in (saturation, saturation * rest, saturation * (1.0 - rest))
    )
    parts = torch.stack((low, falling, rising, value), dim=1).to(torch.uint8)
    chosen = sixths(images.device)[sector.to(torch.int64) % 6]  # (B, H, W, 3)
    return parts.gather(1, chosen.permute(0, 3, 1, 2))
