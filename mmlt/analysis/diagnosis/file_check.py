"""What is wrong with an image file, as far as its bytes can tell, and a small picture of what it shows."""

import contextlib
import hashlib
import io
import os
import stat
import struct
import warnings
import zlib
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image

from mmlt.analysis.diagnosis.hashes import SIDE
from mmlt.datasets.decode import ORIENTATION, TURNS, read_rgb
from mmlt.datasets.image_files import facts_of, problem_of
from mmlt.errors import UserError, brief

ENOUGH = 40  # pixels of the shorter side from which the small picture is made
BROKEN = 'cannot be'  # begins the words for what cannot be decoded; other words are for modes that are not read
STRAY = 16  # bytes between JPEG segments that cameras leave; what is damaged leaves more
NONE, ABSENT, EMPTY, UNREADABLE, TRUNCATED, DAMAGED = range(6)
KINDS = ('', 'missing', 'empty', 'unreadable', 'truncated', 'damaged')
SWAPPED = (5, 6, 7, 8)  # orientations that exchange width and height


@dataclass
class Look:
    """What one file gave.

    Args:
        kind: place in `KINDS` of what is wrong.
        problem: the same in words that follow its name; empty for nothing.
        format, mode: as Pillow calls them; empty where it is no image.
        width, height: in pixels, upright.
        size: in bytes.
        digest: 16 bytes of the BLAKE2b of the file.
        picture: uint8 (32, 32), grey; None where it cannot be read.
    """

    kind: int = NONE
    problem: str = ''
    format: str = ''
    mode: str = ''
    width: int = 0
    height: int = 0
    size: int = 0
    digest: bytes = bytes(16)
    picture: np.ndarray | None = None


def look_at(file: str) -> Look:
    """Read a file whole, decode all of it, and check what its format lets one check.

    JPEG: every entropy-coded byte is decoded (at a reduced size, which leaves out the inverse transform alone), the end marker
    must be there, and with the package simplejpeg the decoder's warnings count as damage. PNG: the checksum of each chunk, the
    end chunk, and the pixels. Others: Pillow must decode them.
    """
    if not _is_file(file) and (why := problem_of(file, facts_of([file])[0])):
        kind = EMPTY if why == 'is empty' else ABSENT if why in ('is missing', 'is a link to nothing') else UNREADABLE
        return Look(kind, why)
    try:
        with open(file, 'rb') as stream:
            data = stream.read()
    except OSError as error:
        return Look(UNREADABLE, f'cannot be read ({error.strerror})')
    look = Look(size=len(data), digest=hashlib.blake2b(data, digest_size=16).digest())
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # of Pillow, on odd EXIF data and large pictures
        try:
            _decode(file, data, look)
        except UserError as error:
            look.kind, look.problem = UNREADABLE, _in_words(str(error), file)
        except Exception as error:  # a damaged file fails in many ways
            look.kind, look.problem = UNREADABLE, f'cannot be decoded ({brief(str(error) or type(error).__name__)})'
        if look.kind == UNREADABLE and _is_cut(data):
            look.kind = TRUNCATED
        elif look.kind == UNREADABLE and look.format and BROKEN in look.problem:
            look.kind = DAMAGED
    if look.kind not in (NONE, DAMAGED):
        look.picture = None
    return look


def _is_file(file: str) -> bool:
    """Whether there is a file with something in it; what is there else, `facts_of` says."""
    try:
        seen = os.stat(file)
    except (OSError, ValueError):
        return False
    return stat.S_ISREG(seen.st_mode) and seen.st_size > 0


def _in_words(text: str, file: str) -> str:
    return text.removeprefix(f'{file} ').removesuffix('.').removesuffix(': replace it')


def _decode(file: str, data: bytes, look: Look) -> None:
    try:
        header = Image.open(io.BytesIO(data))
    except Exception:  # the sentence of the reader that training uses
        read_rgb(file, file)
        raise
    look.format, look.mode = header.format or '', header.mode
    look.width, look.height = header.size
    if header.format in ('JPEG', 'MPO') and header.mode in ('RGB', 'L'):
        turn = _orientation(header)
        if turn in SWAPPED:
            look.width, look.height = look.height, look.width
        pixels, look.kind, look.problem = _jpeg(data, header)
        grey = _small(pixels)
        look.picture = np.asarray(Image.fromarray(grey).transpose(TURNS[turn])) if turn in TURNS else grey
        return
    rgb = read_rgb(file, file)
    look.width, look.height = rgb.size
    look.picture = _small(np.asarray(rgb))
    if header.format == 'PNG':
        look.kind, look.problem = _png(data)


def _orientation(header: Image.Image) -> int:
    try:
        return header.getexif().get(ORIENTATION, 1)
    except Exception:  # damaged EXIF data say nothing about the pixels
        return 1


def _small(pixels: np.ndarray) -> np.ndarray:
    """Grey, uint8 (32, 32): each pixel the mean of what it covers."""
    return cv2.resize(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), (SIDE, SIDE), interpolation=cv2.INTER_AREA)


def _jpeg(data: bytes, header: Image.Image) -> tuple[np.ndarray, int, str]:
    """Pixels at a reduced size, and what is wrong."""
    factor = next((f for f in (8, 4, 2) if min(header.size) >= f * ENOUGH), 1)
    said = ''
    with contextlib.suppress(ImportError):
        import simplejpeg

        try:
            return simplejpeg.decode_jpeg(data, 'RGB', min_factor=factor), NONE, ''
        except ValueError as error:
            said = str(error)
    if factor > 1:
        header.draft(None, (header.width // factor, header.height // factor))
    header.load()  # refuses what ends before the last pixel
    pixels = np.asarray(header.convert('RGB'))
    if not _has_end(data):
        return pixels, TRUNCATED, 'has no end marker: the rest of the file is missing or blank'
    stray = said.partition(' extraneous bytes')[0].rpartition(' ')[2] if 'extraneous bytes' in said else '0'
    if 'premature' in said.lower() or (stray.isdecimal() and int(stray) > STRAY):
        return pixels, DAMAGED, f'is damaged inside ({brief(said)})'
    return pixels, NONE, ''  # what simplejpeg alone cannot read


def _has_end(data: bytes) -> bool:
    """Whether an end marker follows the beginning of the first scan."""
    place = 2
    while place + 4 <= len(data) and data[place] == 0xFF:
        marker = data[place + 1]
        if marker == 0xFF:  # padding
            place += 1
            continue
        if marker == 0xDA:
            return data.find(b'\xff\xd9', place) >= 0
        place += 2 if marker == 0x01 or 0xD0 <= marker <= 0xD7 else 2 + struct.unpack('>H', data[place + 2 : place + 4])[0]
    return data.rfind(b'\xff\xd9') > data.rfind(b'\xff\xda')


def _png(data: bytes) -> tuple[int, str]:
    """What is wrong with the chunks that hold the pixels; others are no part of the picture."""
    place = 8
    while place + 12 <= len(data):
        length = struct.unpack('>I', data[place : place + 4])[0]
        name, end = data[place + 4 : place + 8], place + 12 + length
        if end > len(data):
            break
        critical = name[:1].isupper()
        if critical and zlib.crc32(data[place + 4 : end - 4]) != struct.unpack('>I', data[end - 4 : end])[0]:
            return DAMAGED, f'is damaged inside (checksum of a chunk {name.decode("latin-1")})'
        if name == b'IEND':
            return NONE, ''
        place = end
    return TRUNCATED, 'has no end chunk: the rest of the file is missing'


def _is_cut(data: bytes) -> bool:
    """Whether a file that cannot be decoded is one of a known kind whose end is missing."""
    if data.startswith(b'\xff\xd8'):
        return not _has_end(data)
    if data.startswith(b'\x89PNG\r\n\x1a\n'):
        return _png(data)[0] == TRUNCATED
    if data[:4] == b'RIFF' and data[8:12] == b'WEBP':
        return struct.unpack('<I', data[4:8])[0] + 8 > len(data)
    if data.startswith(b'BM') and len(data) >= 6:
        return struct.unpack('<I', data[2:6])[0] > len(data)
    return False


def pixels_digest(file: str) -> bytes:
    """16 bytes of the BLAKE2b of the upright RGB pixels, their height and width; none where they cannot be read."""
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        try:
            pixels = np.asarray(read_rgb(file, file))
        except (OSError, UserError):
            return b''
    return hashlib.blake2b(pixels.tobytes() + repr(pixels.shape).encode(), digest_size=16).digest()


def quiet() -> None:
    """Prepare a process that looks at files: one thread, nothing on the decoders' standard error."""
    cv2.setNumThreads(1)
    sink = os.open(os.devnull, os.O_WRONLY)
    os.dup2(sink, 2)
    os.close(sink)
