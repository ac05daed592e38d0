"""Images with their objects drawn in, for contact sheets."""

import colorsys

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from mmlt.detection.batch import Target

VEIL = 0.4  # opacity of a mask
GOLDEN = 0.61803398875  # neighbouring classes get hues far apart


def colour_of(label: int) -> tuple[int, int, int]:
    """A bright colour of a class, the same everywhere."""
    return tuple(round(255 * part) for part in colorsys.hsv_to_rgb(label * GOLDEN % 1, 0.75, 1))


def drawn(image: Tensor, target: Target, side: int) -> Tensor:
    """The image in a square with its boxes, and its masks where the target has them, a colour a class.

    Args:
        image: uint8 (3, H, W).
        target: see `DetectionBatch`.
        side: of the square, in pixels.

    Returns:
        uint8 (3, side, side).
    """
    pixels = image.permute(1, 2, 0).numpy().astype(np.float64)
    for mask, label in zip(target.get('masks', ()), target['labels'].tolist(), strict='masks' in target):
        pixels[mask.numpy() > 0] *= 1 - VEIL
        pixels[mask.numpy() > 0] += VEIL * np.array(colour_of(label))
    factor = side / max(image.shape[1:])
    height, width = (max(1, round(length * factor)) for length in image.shape[1:])
    way = Image.Resampling.NEAREST if factor > 1 else Image.Resampling.BILINEAR
    picture = Image.new('RGB', (side, side))
    picture.paste(Image.fromarray(pixels.round().astype(np.uint8)).resize((width, height), way))
    pen = ImageDraw.Draw(picture)
    for box, label in zip((target['boxes'] * factor).tolist(), target['labels'].tolist(), strict=True):
        left, top, right, bottom = box
        pen.rectangle([left, top, max(left, right - 1), max(top, bottom - 1)], outline=colour_of(label), width=2)
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1)
