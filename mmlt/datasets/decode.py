"""Image files as RGB of 8 bits a channel: every mode by the scale it declares, or refused by name."""

import io
import os
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from mmlt.errors import UserError, brief, reason

# Grey values of more than 8 bits; Pillow keeps colours of 16 bits by their high bytes, so the same is done here.
WIDE = ('I;16', 'I;16L', 'I;16B', 'I;16N', 'I', 'F')
NARROW = ('1', 'L', 'LA', 'La', 'P', 'PA', 'RGB', 'RGBA', 'RGBa', 'RGBX', 'CMYK', 'YCbCr', 'HSV')
ORIENTATION = 0x0112
TURNS = {  # EXIF 2.32, tag 274: what puts the picture upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
BITS_PER_SAMPLE, PHOTOMETRIC = 258, 262  # TIFF 6.0


def read_rgb(file: str | Path | bytes, name: str, max_value: float | None = None) -> Image.Image:
    """The picture in a file, upright by its EXIF orientation, as RGB of 8 bits a channel.

    16-bit images (PNG, TIFF, PGM) give their high bytes, so a picture saved with 8 and with 16 bits gives the same pixels;
    12-bit TIFFs their highest 8 bits; floats in [0, 1] are scaled by 255. An alpha channel is dropped, as by
    `Image.convert('RGB')`. Of several frames the first is read.

    Args:
        file: the file, or its content.
        name: what to call it in a message.
        max_value: the grey value that is white, for images of floats or of more than 8 bits; None: as the file says.

    Raises:
        FileNotFoundError: there is none.
        UserError: it cannot be read as an image, its mode is none that is read, or nothing says which value is white.
    """
    try:
        with _opened(file) as stream, Image.open(stream) as picture:
            return rgb_of(picture, name, max_value)
    except (FileNotFoundError, UserError):
        raise
    except Exception as error:  # a damaged file fails in many ways
        raise _unreadable(name, error) from error


def rgb_of(picture: Image.Image, name: str, max_value: float | None = None) -> Image.Image:
    """See `read_rgb`, of a picture that Pillow has opened, or made.

    Raises:
        UserError: see `read_rgb`.
    """
    try:
        _check_mode(picture, name, max_value)
        picture.load()
        rgb = _narrow(picture, name, max_value) if picture.mode in WIDE else _rgb(picture)
        turn = TURNS.get(orientation_of(picture))  # after loading: a TIFF has been turned by then
        return rgb.transpose(turn) if turn is not None else rgb
    except UserError:
        raise
    except Exception as error:  # a damaged file, or one that has been closed
        raise _unreadable(name, error) from error


def content_of(picture: Image.Image) -> bytes | None:
    """The content of the file of a picture that Pillow has opened and not decoded yet; None of any other.

    A JPEG may be decoded smaller than it is, which gives other pixels than decoding it whole: so it is read as its file is.
    """
    stream = getattr(picture, 'fp', None)
    if picture.format not in ('JPEG', 'MPO') or stream is None or not getattr(picture, 'tile', None) or picture.tell():
        return None
    try:
        place = stream.tell()
        stream.seek(0)
        content = stream.read()
        stream.seek(place)
        with Image.open(io.BytesIO(content)) as whole:
            return content if whole.size == picture.size and whole.mode == picture.mode else None  # not by `draft`
    except Exception:  # a file that has been closed: `rgb_of` says so
        return None


def check_header(file: str | Path, name: str, max_value: float | None = None) -> None:
    """See `read_rgb`, of the file's first bytes alone: no pixel is decoded.

    Raises:
        UserError: these are not an image's, or its mode is none that is read.
    """
    try:
        with _opened(file) as stream, Image.open(stream) as picture:
            _check_mode(picture, name, max_value)
    except UserError:
        raise
    except Exception as error:
        raise _unreadable(name, error) from error


def read_content(file: str | Path, name: str) -> bytes:
    """The bytes of a file.

    Args:
        file: the file.
        name: what to call it in a message.

    Raises:
        FileNotFoundError: there is none.
        UserError: it cannot be read.
    """
    try:
        with open(file, 'rb', buffering=0, opener=_at_once) as stream:
            return stream.read() or b''  # a pipe that has nothing yet gives None
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:
        raise _unreadable(name, error) from error


def _opened(file: str | Path | bytes) -> io.BufferedIOBase:
    return io.BytesIO(file) if isinstance(file, bytes) else open(file, 'rb', opener=_at_once)


def _unreadable(name: str, error: Exception) -> UserError:
    why = 'no kind of image is known that begins so' if isinstance(error, UnidentifiedImageError) else brief(reason(error))
    return UserError(f'{name} cannot be read as an image ({why}): replace it.')


def _at_once(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, 'O_NONBLOCK', 0))  # a pipe has no writer to wait for


def _check_mode(picture: Image.Image, name: str, max_value: float | None) -> None:
    if picture.mode not in WIDE + NARROW:
        raise UserError(f'{name} is an image of mode {picture.mode}, which is not read: convert it to RGB.')
    if max_value is None and picture.mode == 'I' and picture.format not in ('PNG', 'PPM'):
        raise UserError(
            f'{name} holds whole numbers of a sign or of 32 bits, and nothing says which value is white: set max_value of '
            'the data set, or convert it to 8 or 16 bits.'
        )
    tiles = getattr(picture, 'tile', ())  # how the pixels of a file are stored
    if max_value is not None and picture.mode not in WIDE and any('16' in str(tile[3]) for tile in tiles):
        raise UserError(
            f'{name} has colours of 16 bits, which max_value does not scale: convert it to 8 bits a channel, or take '
            'max_value out of the data set.'
        )


def orientation_of(picture: Image.Image) -> int:
    """EXIF's orientation, 1 to 8; 1 where the file says none."""
    try:
        return picture.getexif().get(ORIENTATION, 1)
    except Exception:  # damaged EXIF data say nothing about the pixels
        return 1


def _rgb(picture: Image.Image) -> Image.Image:
    if picture.mode in ('RGBa', 'La'):
        picture = picture.convert({'RGBa': 'RGBA', 'La': 'LA'}[picture.mode])
    elif picture.mode in ('P', 'PA'):
        picture = picture.convert('RGBA')  # by way of alpha, or Pillow warns of transparent colours
    return picture.convert('RGB')


def _narrow(picture: Image.Image, name: str, max_value: float | None) -> Image.Image:
    values = np.asarray(picture)
    tags = getattr(picture, 'tag_v2', {})
    if picture.mode != 'F' and max_value is None:
        bits = tags.get(BITS_PER_SAMPLE, (16,))[0]
        grey = values >> (bits - 8)
    else:
        low, high, white = float(values.min()), float(values.max()), 1.0 if max_value is None else max_value
        if not (low >= 0 and high <= white):  # NaN included
            raise UserError(
                f'{name} has values from {low:.6g} to {high:.6g}, which is not within 0 to {white:g}: set max_value of the '
                'data set to the value that is white, or convert it.'
            )
        grey = np.rint(values.astype(np.float64) * (255 / white))
    grey = grey.astype(np.uint8)
    if tags.get(PHOTOMETRIC) == 0:  # white is zero; of 8 bits and less Pillow minds it itself
        grey = 255 - grey
    return Image.fromarray(grey).convert('RGB')
