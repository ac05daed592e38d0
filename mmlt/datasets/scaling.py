"""How pieces of a picture are brought to their size, and which pieces random ones are."""

from collections.abc import Callable, Sequence

import cv2
import numpy as np
from PIL import Image

from mmlt.datasets.decode import read_rgb
from mmlt.datasets.jpeg import FLAGS, decode, frame_of
from mmlt.errors import UserError, brief

Box = tuple[float, float, float, float]  # left, top, right, bottom, in pixels
Boxes = Callable[[int, int], Sequence[Box]]  # the V pieces of a picture of (width, height)
Area = tuple[float, float]  # least and largest part of a picture's area that a random piece has
CROP_AREA = (0.08, 1.0)


def area_parts(crop_area: Area | Sequence[Area]) -> list[Area]:
    """The least and the largest part of an area for each view, checked.

    Args:
        crop_area: one pair, or a pair a view.

    Raises:
        UserError: a pair is not two numbers above 0 and at most 1, the smaller first.
    """
    several = isinstance(crop_area, (list, tuple)) and crop_area and all(isinstance(one, (list, tuple)) for one in crop_area)
    pairs = list(crop_area) if several else [crop_area]
    for pair in pairs:
        numbers = isinstance(pair, (list, tuple)) and all(type(part) in (int, float) for part in pair)
        if not (numbers and len(pair) == 2 and 0 < pair[0] <= pair[1] <= 1):
            raise UserError(
                'crop_area is the least and the largest part of an image that a random piece has, such as (0.08, 1): two '
                'numbers above 0 and at most 1, the smaller first, or a list of such pairs, one for each view of an image; '
                f'not {brief(repr(pair))}.'
            )
    return [(float(least), float(largest)) for least, largest in pairs]


def random_box(width: int, height: int, seed: int, key: int, crop_area: Area = CROP_AREA, view: int = 0) -> Box:
    """A random piece with sides 3:4 to 4:3, a function of (seed, key, view), the picture's size and `crop_area` alone.

    The first of ten draws that fits is taken; if none does, the middle square.

    Args:
        width, height: of the picture, in pixels.
        seed, key: of the draw.
        crop_area: least and largest part of the picture's area, in (0, 1].
        view: which of the pieces of this draw, from 0; they are independent.

    Source: Szegedy et al., Going deeper with convolutions (CVPR 2015), section 6.
    """
    # The first view draws as the only one; the others' place is a word of its own, which no key reaches.
    draws = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, key], spawn_key=(view,) if view else ())))
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


def show_with_opencv(content: bytes, boxes_of: Boxes, out: np.ndarray, name: str, max_value: float | None = None) -> None:
    """Write pieces of a picture, which is decoded once, into an array, scaled to the array's size.

    Where every piece has sides twice, four or eight times that size, the picture is decoded at a half, a quarter or an eighth
    (a JPEG; what is left averages areas where it still shrinks to a half), the rest is bilinear between whole pixels.

    Args:
        content: of the file.
        boxes_of: the V pieces of a picture of (width, height).
        out: uint8 (V, H, W, 3), RGB, contiguous; is written.
        name: of the file, for messages.
        max_value: see `read_rgb`.

    Raises:
        UserError: it is no picture that can be read.
    """
    frame = frame_of(content)
    if frame is not None:
        boxes = boxes_of(frame.width, frame.height)
        high, wide = out.shape[1:3]
        # The piece that shrinks least decides: none is made of fewer pixels than it has to give.
        times = min(min((box[2] - box[0]) / wide, (box[3] - box[1]) / high) for box in boxes)
        reduction = max(factor for factor in FLAGS if factor == 1 or times >= factor)
        picture = decode(content, frame, reduction)
        if picture is not None:
            for box, view in zip(boxes, out, strict=True):
                _scale(picture, box, frame.width, frame.height, view)
                cv2.cvtColor(view, cv2.COLOR_BGR2RGB, dst=view)
            return
    show_array(np.asarray(read_rgb(content, name, max_value)), boxes_of, out)


def show_array(picture: np.ndarray, boxes_of: Boxes, out: np.ndarray) -> None:
    """See `show_with_opencv`, of pixels uint8 (H, W, 3)."""
    height, width = picture.shape[:2]
    for box, view in zip(boxes_of(width, height), out, strict=True):
        _scale(picture, box, width, height, view)


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


def show_with_pillow(content: bytes, boxes_of: Boxes, out: np.ndarray, name: str, max_value: float | None = None) -> None:
    """See `show_with_opencv`; here every piece is scaled by Pillow's bilinear filter, which widens as it shrinks."""
    scale_picture(read_rgb(content, name, max_value), boxes_of, out)


def scale_picture(picture: Image.Image, boxes_of: Boxes, out: np.ndarray) -> None:
    """See `show_with_pillow`, of an RGB picture."""
    size = (out.shape[2], out.shape[1])
    for box, view in zip(boxes_of(picture.width, picture.height), out, strict=True):
        # Scaling the piece alone is scaling all and cutting out, up to rounding, for less work.
        view[...] = np.asarray(picture.resize(size, Image.Resampling.BILINEAR, box=box))


SHOW = {'opencv': show_with_opencv, 'pillow': show_with_pillow}
