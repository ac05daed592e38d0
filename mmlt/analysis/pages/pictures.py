"""Photographs on a page: small, inside the page's own file."""

import base64
import io
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from mmlt.analysis.pages.parts import Html, tag

SIDE = 128  # pixels stored of a picture's longer side
TINY = 24  # a picture up to this many pixels is shown pixel by pixel
LOSSLESS = 3000  # bytes up to which a picture is kept without loss


class Thumbnail(NamedTuple):
    """A picture and what is written below it.

    Args:
        source: from `picture_uri`.
        lines: below it, texts or `Html`; the first is in ink, the others soft.
        alt: what it shows, for those who do not see it.
        tiny: whether its pixels are shown as squares.
    """

    source: str
    lines: tuple[Any, ...]
    alt: str
    tiny: bool = False

    @classmethod
    def of(cls, image: Any, *lines: Any, alt: str, side: int = SIDE) -> 'Thumbnail':
        """The thumbnail of an image: see `picture_uri`."""
        picture = as_picture(image)
        return cls(picture_uri(picture, side), lines, alt, max(picture.size) <= TINY)


def as_picture(image: Any) -> Image.Image:
    """A PIL image in RGB.

    Args:
        image: a PIL image, or uint8 of shape (C, H, W) or (H, W, C) with C = 1 or 3, or (H, W): tensor or array.

    Raises:
        ValueError: another shape or dtype.
    """
    if isinstance(image, Image.Image):
        return image.convert('RGB')
    pixels = np.asarray(image)
    if pixels.dtype != np.uint8:
        raise ValueError(f'a picture has uint8 pixels, not {pixels.dtype}')
    if pixels.ndim == 3 and pixels.shape[0] in (1, 3):
        pixels = pixels.transpose(1, 2, 0)
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    if pixels.ndim not in (2, 3) or (pixels.ndim == 3 and pixels.shape[2] != 3):
        raise ValueError(f'a picture has shape (C, H, W), (H, W, C) or (H, W), not {pixels.shape}')
    return Image.fromarray(np.ascontiguousarray(pixels)).convert('RGB')


def picture_uri(image: Any, side: int = SIDE) -> str:
    """A data URI of an image, at most `side` pixels wide and high: PNG where that is small, else JPEG of quality 82.

    Args:
        image: see `as_picture`.
        side: of the longer side, in pixels; a smaller image is not enlarged.
    """
    picture = as_picture(image)
    if max(picture.size) > side:
        picture.thumbnail((side, side), Image.Resampling.LANCZOS, reducing_gap=3.0)
    content = io.BytesIO()
    if picture.width * picture.height <= 48 * 48:
        picture.save(content, 'PNG')
        if content.tell() <= LOSSLESS:
            return _uri(content, 'png')
    content = io.BytesIO()
    picture.save(content, 'JPEG', quality=82)
    return _uri(content, 'jpeg')


def png_uri(picture: Image.Image) -> str:
    """A data URI of a PIL image as PNG, of its own size and mode."""
    content = io.BytesIO()
    picture.save(content, 'PNG', optimize=True)
    return _uri(content, 'png')


def _uri(content: io.BytesIO, kind: str) -> str:
    return f'data:image/{kind};base64,{base64.b64encode(content.getvalue()).decode()}'


def thumbnails(pictures: Iterable[Thumbnail], small: bool = False) -> Html:
    """A grid of pictures, as many in a row as there is room for; `small`: for half of the page's width."""
    boxes = []
    for one in pictures:
        image = tag('img', src=one.source, alt=one.alt, cls='tiny' if one.tiny else None)
        first, *others = one.lines or ('',)
        caption = tag('figcaption', first, *(tag('span', line) for line in others)) if one.lines else None
        boxes.append(tag('figure', image, caption, cls='thumb'))
    return tag('div', *boxes, cls='thumbs small' if small else 'thumbs')
