"""How a piece of a picture is brought to its size, and which piece a random one is."""

from collections.abc import Callable

import cv2
import numpy as np
from PIL import Image

from mmlt.datasets.decode import read_rgb
from mmlt.datasets.jpeg import FLAGS, decode, frame_of
from mmlt.errors import UserError, brief

Box = tuple[float, float, float, float]  # left, top, right, bottom, in pixels
CROP_AREA = (0.08, 1.0)  # parts of a picture's area that a random piece has


def area_parts(crop_area: tuple[float, float]) -> tuple[float, float]:
    """The least and the largest part of an area, checked.

    Raises:
        UserError: they are not two numbers above 0 and at most 1, the smaller first.
    """
    numbers = isinstance(crop_area, (list, tuple)) and all(type(part) in (int, float) for part in crop_area)
    if not (numbers and len(crop_area) == 2 and 0 < crop_area[0] <= crop_area[1] <= 1):
        raise UserError(
            'crop_area is the least and the largest part of an image that a random piece has, such as (0.08, 1): two numbers '
            f'above 0 and at most 1, the smaller first, not {brief(repr(crop_area))}.'
        )
    return float(crop_area[0]), float(crop_area[1])


def random_box(width: int, height: int, seed: int, key: int, crop_area: tuple[float, float] = CROP_AREA) -> Box:
    """A random piece with sides 3:4 to 4:3, a function of (seed, key), the picture's size and `crop_area` alone.

    The first of ten draws that fits is taken; if none does, the middle square.

    Args:
        width, height: of the picture, in pixels.
        seed, key: of the draw.
        crop_area: least and largest part of the picture's area, in (0, 1].

    Source: Szegedy et al., Going deeper with convolutions (CVPR 2015), section 6.
    """
    draws = np.random.Generator(np.random.PCG64([seed, key]))
    for _ in range(10):
        area = width * height * draws.uniform(*crop_area)
        ratio = np.exp(draws.uniform(np.log(3 / 4), np.log(4 / 3)))
        w, h = np.sqrt(area * ratio), np.sqrt(area / ratio)
        if w <= width and h <= height:
            left, top = draws.uniform(0, width - w), draws.uniform(0, height - h)
            return float(left), float(top), float(left + w), float(top + h)
    side = min(width, height)
    left, top = (width - side) / 2, (height - side) / 2
    return left, top, left + side, top + side


def show_with_opencv(
    content: bytes, box_of: Callable[[int, int], Box], out: np.ndarray, name: str, max_value: float | None = None
) -> None:
    """Write a piece of a picture into an array, scaled to the array's size.

    A piece with sides twice, four or eight times that size is decoded at a half, a quarter or an eighth (a JPEG; what is
    left averages areas where it still shrinks to a half), the rest is bilinear between whole pixels.

    Args:
        content: of the file.
        box_of: the piece of a picture of (width, height).
        out: uint8 (H, W, 3), RGB, contiguous; is written.
        name: of the file, for messages.
        max_value: see `read_rgb`.

    Raises:
        UserError: it is no picture that can be read.
    """
    frame = frame_of(content)
    if frame is not None:
        box = box_of(frame.width, frame.height)
        times = min((box[2] - box[0]) / out.shape[1], (box[3] - box[1]) / out.shape[0])
        reduction = max(factor for factor in FLAGS if factor == 1 or times >= factor)
        picture = decode(content, frame, reduction)
        if picture is not None:
            _scale(picture, box, frame.width, frame.height, out)
            cv2.cvtColor(out, cv2.COLOR_BGR2RGB, dst=out)
            return
    show_array(np.asarray(read_rgb(content, name, max_value)), box_of, out)


def show_array(picture: np.ndarray, box_of: Callable[[int, int], Box], out: np.ndarray) -> None:
    """See `show_with_opencv`, of pixels uint8 (H, W, 3)."""
    height, width = picture.shape[:2]
    _scale(picture, box_of(width, height), width, height, out)


def _scale(picture: np.ndarray, box: Box, width: int, height: int, out: np.ndarray) -> None:
    """Scale the piece of a picture that may be smaller than the (width, height) in which `box` counts."""
    rows, columns = picture.shape[:2]
    left, right = _whole(box[0], box[2], columns, columns / width)
    top, bottom = _whole(box[1], box[3], rows, rows / height)
    piece = picture[top:bottom, left:right]
    if piece.shape == out.shape:
        np.copyto(out, piece)
        return
    high, wide = out.shape[:2]
    shrinks = right - left >= 2 * wide and bottom - top >= 2 * high
    cv2.resize(piece, (wide, high), dst=out, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def _whole(start: float, end: float, length: int, scale: float) -> tuple[int, int]:
    first = min(max(int(round(start * scale)), 0), length - 1)
    return first, min(max(int(round(end * scale)), first + 1), length)


def show_with_pillow(
    content: bytes, box_of: Callable[[int, int], Box], out: np.ndarray, name: str, max_value: float | None = None
) -> None:
    """See `show_with_opencv`; here every piece is scaled by Pillow's bilinear filter, which widens as it shrinks."""
    scale_picture(read_rgb(content, name, max_value), box_of, out)


def scale_picture(picture: Image.Image, box_of: Callable[[int, int], Box], out: np.ndarray) -> None:
    """See `show_with_pillow`, of an RGB picture."""
    # Scaling the piece alone is scaling all and cutting out, up to rounding, for less work.
    size = (out.shape[1], out.shape[0])
    out[...] = np.asarray(picture.resize(size, Image.Resampling.BILINEAR, box=box_of(picture.width, picture.height)))


SHOW = {'opencv': show_with_opencv, 'pillow': show_with_pillow}
