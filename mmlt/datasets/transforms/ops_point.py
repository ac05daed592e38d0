"""Operations on colours, each with a strength of its own an image, equal to Pillow's to the bit.

An operation maps images uint8 (B, C, H, W), grey (C = 1) or RGB (C = 3), and magnitudes (B,) to uint8 (B, C, H, W).
Magnitudes are float64 where they come from a policy; any float type does. The arithmetic follows `PIL.ImageOps` and
`PIL.ImageEnhance` step by step, in the same precision and with the same truncation.
"""

import torch
from torch import Tensor

from mmlt.errors import UserError

LEVELS = 256
# Pillow's luma (ITU-R 601), in units of 2 ** -16.
LUMA = (19595, 38470, 7471)


def grey(images: Tensor) -> Tensor:
    """The luminance, uint8 (B, 1, H, W), as Pillow's mode L has it.

    Raises:
        UserError: the images are neither grey nor RGB.
    """
    if images.shape[1] == 1:
        return images
    if images.shape[1] != 3:
        raise UserError(f'images have {images.shape[1]} channels, but this transform needs grey (1) or RGB (3) images.')
    red, green, blue = images.to(torch.int32).unbind(1)
    return ((red * LUMA[0] + green * LUMA[1] + blue * LUMA[2] + 2**15) >> 16).to(torch.uint8).unsqueeze(1)


def identity(images: Tensor, magnitude: Tensor) -> Tensor:
    """The images as they are."""
    return images


def invert(images: Tensor, magnitude: Tensor) -> Tensor:
    """The negative; `magnitude` is not used."""
    return 255 - images


def solarize(images: Tensor, magnitude: Tensor) -> Tensor:
    """The negative of each value that is not below the threshold `magnitude`, in [0, 256]."""
    threshold = _per_image(magnitude.ceil()).to(torch.int16)  # for whole values the same as the threshold itself
    return torch.where(images < threshold, images, 255 - images)


def solarize_add(images: Tensor, magnitude: Tensor) -> Tensor:
    """Each value below 128 is raised by `magnitude`, a whole number, to 255 at most."""
    raised = (images.to(torch.int16) + _per_image(magnitude).to(torch.int16)).clamp_(max=255).to(torch.uint8)
    return torch.where(images < 128, raised, images)


def posterize(images: Tensor, magnitude: Tensor) -> Tensor:
    """Keep the highest bits of each value: `magnitude` of them, rounded, 0 to 8."""
    dropped = 2.0 ** (8 - magnitude.round())
    return images & _per_image(LEVELS - dropped).to(torch.uint8)


def autocontrast(images: Tensor, magnitude: Tensor) -> Tensor:
    """Stretch each channel to the whole range; `magnitude` is not used."""
    low = images.amin((2, 3), keepdim=True).double()  # (B, C, 1, 1)
    high = images.amax((2, 3), keepdim=True).double()
    flat = high <= low
    scale = torch.where(flat, 1.0, torch.full_like(low, 255) / (high - low))
    offset = torch.where(flat, 0.0, -low * scale)
    return (images.double().mul_(scale).add_(offset)).clamp_(0, 255).to(torch.uint8)


def equalize(images: Tensor, magnitude: Tensor) -> Tensor:
    """Flatten the histogram of each channel; `magnitude` is not used."""
    values = images.flatten(2).to(torch.int64)  # (B, C, HW)
    histogram = values.new_zeros((*values.shape[:2], LEVELS)).scatter_add_(2, values, torch.ones_like(values))
    below = histogram.cumsum(2) - histogram  # pixels of a lower value
    # All pixels but those of the highest value present are shared out over 255 steps.
    highest = values.amax(2, keepdim=True)
    step = below.gather(2, highest) // 255
    table = ((step // 2 + below) // step.clamp(min=1)).clamp_(max=255).to(torch.uint8)
    table = torch.where(step == 0, torch.arange(LEVELS, dtype=torch.uint8, device=images.device), table)
    return table.gather(2, values).view(images.shape)


def brightness(images: Tensor, magnitude: Tensor) -> Tensor:
    """Blend with black: factor 0 is black, 1 the image."""
    return _blend(torch.zeros_like(images), images, magnitude)


def contrast(images: Tensor, magnitude: Tensor) -> Tensor:
    """Blend with the mean grey: factor 0 is one grey, 1 the image."""
    luminance = grey(images)
    mean = luminance.sum((1, 2, 3), dtype=torch.int64).double() / luminance[0].numel()
    return _blend(_per_image((mean + 0.5).floor()).to(torch.uint8), images, magnitude)


def color(images: Tensor, magnitude: Tensor) -> Tensor:
    """Blend with the grey image: factor 0 is grey, 1 the image."""
    return _blend(grey(images), images, magnitude)


def sharpness(images: Tensor, magnitude: Tensor) -> Tensor:
    """Blend with a smoothed image: factor 0 is smooth, 1 the image, more is sharper."""
    return _blend(smooth(images), images, magnitude)


def smooth(images: Tensor) -> Tensor:
    """A 3 x 3 mean in which the centre counts five times; the outermost pixels stay. uint8 (B, C, H, W)."""
    if min(images.shape[2:]) < 3:
        return images
    values = images.to(torch.int16)
    rows = values[:, :, :-2] + values[:, :, 1:-1] + values[:, :, 2:]
    sums = rows[..., :-2] + rows[..., 1:-1] + rows[..., 2:] + 4 * values[:, :, 1:-1, 1:-1]
    smoothed = images.clone()
    # Thirteenths never end in a half, so float32 rounds each as exact arithmetic would.
    smoothed[:, :, 1:-1, 1:-1] = (sums.to(torch.float32) / 13 + 0.5).to(torch.uint8)
    return smoothed


def _per_image(values: Tensor) -> Tensor:
    """(B,) as (B, 1, 1, 1)."""
    return values[:, None, None, None]


def _blend(start: Tensor, images: Tensor, factor: Tensor) -> Tensor:
    """start + factor (images - start) in float32, cut to [0, 255] and truncated; `start` broadcasts to the images."""
    start = start.to(torch.float32)
    # Product and sum stay separate: a fused one rounds differently.
    return (images - start).mul_(_per_image(factor.to(torch.float32))).add_(start).clamp_(0, 255).to(torch.uint8)
