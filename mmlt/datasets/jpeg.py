"""JPEG files through OpenCV: the pixels that Pillow gives, without its objects and already smaller where that is enough."""

import io
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image

from mmlt.datasets.decode import orientation_of

START, END = b'\xff\xd8', b'\xff\xd9'
# ITU-T T.81, table B.1. Frames of baseline, extended and progressive Huffman coding; the last marker before pixels.
FRAMES, SCAN, APP1 = (0xC0, 0xC1, 0xC2), 0xDA, 0xE1
OTHER_FRAMES = {0xC3, *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0)}
TRAILER = 4096  # bytes that may follow the end of the picture
PLAIN = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
FLAGS = {
    1: PLAIN,
    2: cv2.IMREAD_REDUCED_COLOR_2 | cv2.IMREAD_IGNORE_ORIENTATION,
    4: cv2.IMREAD_REDUCED_COLOR_4 | cv2.IMREAD_IGNORE_ORIENTATION,
    8: cv2.IMREAD_REDUCED_COLOR_8 | cv2.IMREAD_IGNORE_ORIENTATION,
}


class Frame(NamedTuple):
    """What a JPEG says of itself before its pixels.

    Attributes:
        width: in pixels, as the picture stands upright.
        height: likewise.
        orientation: EXIF's, 1 to 8; 1 where it says none.
    """

    width: int
    height: int
    orientation: int


def frame_of(content: bytes) -> Frame | None:
    """The frame of a JPEG that OpenCV decodes to Pillow's pixels; None for any other file.

    That is one of 8 bits a channel, grey or of three colours, whose end is there. What this leaves (CMYK, other formats,
    whatever is cut off or damaged) Pillow reads or refuses.

    Args:
        content: of the file.
    """
    if content[:2] != START:
        return None
    place, end, size, described = 2, len(content), None, False
    while place + 4 <= end:
        if content[place] != 0xFF:
            return None
        marker = content[place + 1]
        if marker == 0xFF:  # a fill byte
            place += 1
            continue
        if marker == SCAN:
            break
        if marker in FRAMES:
            if place + 10 > end or content[place + 4] != 8 or content[place + 9] not in (1, 3):
                return None
            size = (int.from_bytes(content[place + 7 : place + 9]), int.from_bytes(content[place + 5 : place + 7]))
        elif marker in OTHER_FRAMES or marker < 0xC0 or 0xD0 <= marker <= 0xD9:
            return None
        described = described or marker == APP1
        place += 2 + int.from_bytes(content[place + 2 : place + 4])
    # Pixels hold no END, so one behind the scan's beginning is the picture's own.
    if not size or not all(size) or content.rfind(END, max(place, end - TRAILER)) < 0:
        return None
    if size[0] * size[1] > (Image.MAX_IMAGE_PIXELS or 0):
        return None
    turn = 1
    if described:
        try:
            with Image.open(io.BytesIO(content)) as picture:
                turn = orientation_of(picture)
        except Exception:  # it fails in many ways, and Pillow will say how
            return None
    return Frame(*(size if turn < 5 else size[::-1]), turn)


def decode(content: bytes, frame: Frame, reduction: int = 1) -> np.ndarray | None:
    """The picture upright, uint8 (H, W, 3) in the order blue, green, red; None where OpenCV cannot.

    Args:
        content: of the file.
        frame: its `frame_of`.
        reduction: 1, 2, 4 or 8: sides are so many times smaller, rounded up. The JPEG's own blocks are averaged.
    """
    try:
        stored = cv2.imdecode(np.frombuffer(content, dtype=np.uint8), FLAGS[reduction])
    except cv2.error:
        return None
    return None if stored is None else upright(stored, frame.orientation)


def upright(stored: np.ndarray, orientation: int) -> np.ndarray:
    """A picture turned as EXIF 2.32, tag 274, says; 1 and what is no orientation leave it.

    Args:
        stored: (H, W, 3).
        orientation: 1 to 8.
    """
    if orientation in (5, 7):
        stored = cv2.transpose(stored)
    if orientation == 2:
        return cv2.flip(stored, 1)
    if orientation == 4:
        return cv2.flip(stored, 0)
    if orientation in (3, 7):
        return cv2.rotate(stored, cv2.ROTATE_180)
    if orientation == 6:
        return cv2.rotate(stored, cv2.ROTATE_90_CLOCKWISE)
    if orientation == 8:
        return cv2.rotate(stored, cv2.ROTATE_90_COUNTERCLOCKWISE)
    return stored
