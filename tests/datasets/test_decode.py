"""Images of every mode: the same picture gives the same pixels, or the mode is refused by name."""

import os
import struct
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image

from mmlt.datasets.decode import check_header, read_rgb
from mmlt.errors import UserError

GREY = np.arange(256, dtype=np.uint8).reshape(8, 32)  # every value once
RGB = np.stack([GREY, GREY[::-1], GREY[:, ::-1]], axis=2)
LOW, HIGH = (GREY.astype(np.uint16) * factor for factor in (256, 257))  # the two ways to write 8 bits in 16


def png(path, pixels, bits, colour):
    """A PNG written by hand (PNG specification, sections 5 and 11): Pillow writes no colours of 16 bits."""

    def chunk(kind, data):
        return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))

    height, width = pixels.shape[:2]
    rows = pixels.astype('>u2' if bits == 16 else 'u1').reshape(height, -1)
    data = b''.join(b'\0' + row.tobytes() for row in rows)
    header = struct.pack('>IIBBBBB', width, height, bits, colour, 0, 0, 0)
    path.write_bytes(b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', header) + chunk(b'IDAT', zlib.compress(data)) + chunk(b'IEND', b''))


def tiff_of_12_bits(path):
    """A TIFF written by hand (TIFF 6.0): two values in three bytes."""
    values = (GREY.astype(int) * 16 + GREY // 16).ravel()
    packed = b''.join(bytes([a >> 4, (a & 15) << 4 | b >> 8, b & 255]) for a, b in zip(values[::2], values[1::2], strict=True))
    tags = {256: 32, 257: 8, 258: 12, 259: 1, 262: 1, 273: 8, 277: 1, 278: 8, 279: len(packed)}
    entries = b''.join(struct.pack('<HHII', tag, 4, 1, value) for tag, value in tags.items())
    path.write_bytes(b'II*\0' + struct.pack('<I', 8 + len(packed)) + packed + struct.pack('<H', len(tags)) + entries + bytes(4))


def saved(name, pixels, mode=None, **options):
    def write(folder):
        picture = Image.fromarray(pixels)
        (picture.convert(mode) if mode else picture).save(folder / name, **options)
        return folder / name

    return write


def by_hand(name, write, *args):
    def made(folder):
        write(folder / name, *args)
        return folder / name

    return made


def pgm(maximum, values):
    data = f'P5 32 8 {maximum}\n'.encode() + values.astype('>u2').tobytes()
    return by_hand(f'{maximum}.pgm', lambda path: path.write_bytes(data))


ALPHA = GREY[::-1]
SAME = {  # what must give GREY in all channels
    '8 bits': saved('x.png', GREY),
    '16-bit PNG, by 257': saved('x.png', HIGH),
    '16-bit PNG, by 256': saved('x.png', LOW),
    '16-bit TIFF': saved('x.tif', HIGH),
    '16-bit TIFF, big end first': saved('x.tif', HIGH.astype('>u2')),
    '16-bit TIFF, white is zero': saved('x.tif', 65535 - HIGH, tiffinfo={262: 0}),
    '12-bit TIFF': by_hand('x.tif', tiff_of_12_bits),
    '16-bit PGM': pgm(65535, HIGH),
    '12-bit PGM': pgm(4095, GREY.astype(int) * 16),
    'floats in 0..1': saved('x.tif', (GREY / 255).astype(np.float32)),
    'palette': saved('x.png', GREY, 'P'),
    'palette with transparency': saved('x.png', GREY, 'P', transparency=bytes(range(256))),
    'grey and alpha': by_hand('x.png', png, np.stack([GREY, ALPHA], axis=2), 8, 4),
    'grey and alpha, 16 bits': by_hand('x.png', png, np.stack([HIGH, HIGH[::-1]], axis=2), 16, 4),
    'RGBA': by_hand('x.png', png, np.dstack([GREY, GREY, GREY, ALPHA]), 8, 6),
    'RGBA, 16 bits': by_hand('x.png', png, np.dstack([HIGH, HIGH, HIGH, HIGH[::-1]]), 16, 6),
    'RGB, 16 bits': by_hand('x.png', png, np.dstack([LOW] * 3), 16, 2),
    'WebP without loss': saved('x.webp', np.dstack([GREY] * 3), lossless=True),
    'BMP': saved('x.bmp', GREY),
}


@pytest.mark.parametrize('case', SAME)
def test_the_same_picture_gives_the_same_pixels(case, tmp_path):
    path = SAME[case](tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        check_header(path, 'x')
        found = np.asarray(read_rgb(path, 'x'))
    assert found.dtype == np.uint8 and np.array_equal(found, np.dstack([GREY] * 3))


COLOURS = {
    'RGB, 16 bits': (by_hand('x.png', png, RGB.astype(np.uint16) * 257, 16, 2), RGB),
    'black and white': (saved('x.png', GREY > 99), np.dstack([(GREY > 99) * 255] * 3)),
    'CMYK': (
        lambda folder: Image.new('CMYK', (32, 8), (0, 255, 255, 0)).save(folder / 'x.tif') or folder / 'x.tif',
        np.full((8, 32, 3), (255, 0, 0)),
    ),
    "CMYK as Adobe's JPEGs": (
        lambda folder: Image.new('CMYK', (32, 8), (255, 0, 255, 0)).save(folder / 'x.jpg', quality=100) or folder / 'x.jpg',
        np.full((8, 32, 3), (0, 255, 0)),
    ),
    'palette of colours': (
        lambda folder: Image.new('RGB', (32, 8), (9, 8, 70)).quantize(4).save(folder / 'x.png') or folder / 'x.png',
        np.full((8, 32, 3), (9, 8, 70)),
    ),
}


@pytest.mark.parametrize('case', COLOURS)
def test_colours(case, tmp_path):
    write, expected = COLOURS[case]
    assert np.array_equal(np.asarray(read_rgb(write(tmp_path), 'x')), expected)


SCALED = {  # values, the one that is white
    'floats in 0..255': (GREY.astype(np.float32), 255),
    '12 bits in 16': (GREY.astype(np.uint16) * 16, 255 * 16),
    '32-bit numbers': (GREY.astype(np.int32) * 1000, 255_000),
}


@pytest.mark.parametrize('case', SCALED)
def test_the_white_value_can_be_said(case, tmp_path):
    values, white = SCALED[case]
    path = saved('x.tif', values)(tmp_path)
    assert np.array_equal(np.asarray(read_rgb(path, 'x', white))[..., 0], GREY)
    with pytest.raises(UserError, match=rf'^x has values from 0 to .*not within 0 to {white // 2}: set max_value'):
        read_rgb(path, 'x', white // 2)


def with_nan(pixels):
    pixels = pixels.astype(np.float32) / 255
    pixels[0, 0] = np.nan
    return pixels


REFUSED = {
    'floats in 0..255': (
        saved('x.tif', GREY.astype(np.float32)), None, 'from 0 to 255, which is not within 0 to 1: set max_value'),
    'floats below 0': (saved('x.tif', GREY.astype(np.float32) / 255 - 0.1), None, 'from -0.1 to 0.9'),
    'not a number': (saved('x.tif', with_nan(GREY)), None, 'from nan to nan'),
    '32-bit numbers': (saved('x.tif', GREY.astype(np.int32)), None, 'nothing says which value is white: set max_value'),
    'LAB': (
        lambda folder: Image.new('LAB', (4, 4)).save(folder / 'x.tif') or folder / 'x.tif', None,
        'an image of mode LAB, which is not read: convert it to RGB'),
    'colours of 16 bits and a white value': (
        by_hand('x.png', png, RGB.astype(np.uint16), 16, 2), 4095, 'colours of 16 bits, which max_value does not scale'),
    'a text': (by_hand('x.png', lambda path: path.write_text('<html>not found</html>')), None, 'no kind of image is known'),
    'half a file': (
        by_hand('x.png', lambda path: path.write_bytes(saved('y.png', RGB)(path.parent).read_bytes()[:50])), None,
        r'cannot be read as an image \(.*: replace it'),
    'a pipe': (by_hand('x.png', lambda path: os.mkfifo(path)), None, 'cannot be read as an image'),
}  # fmt: skip


@pytest.mark.parametrize('case', REFUSED)
def test_what_cannot_be_read_rightly_is_refused(case, tmp_path):
    write, white, said = REFUSED[case]
    with pytest.raises(UserError, match=f'^x .*{said}'):
        read_rgb(write(tmp_path), 'x', white)


@pytest.mark.parametrize('kind', ['png', 'jpg', 'tif', 'webp'])
@pytest.mark.parametrize(
    ('orientation', 'upright'),  # EXIF 2.32: where the 0th row and the 0th column are seen
    [
        (1, lambda stored: stored), (2, lambda stored: stored[:, ::-1]), (3, lambda stored: stored[::-1, ::-1]),
        (4, lambda stored: stored[::-1]), (5, lambda stored: stored.T), (6, lambda stored: stored[::-1].T),
        (7, lambda stored: stored[::-1, ::-1].T), (8, lambda stored: stored[:, ::-1].T), (77, lambda stored: stored),
    ],
)  # fmt: skip
def test_pictures_stand_upright(kind, orientation, upright, tmp_path):
    stored = np.zeros((16, 32), np.uint8)
    stored[:8, :16], stored[:8, 16:] = 250, 120
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(stored).convert('RGB').save(tmp_path / f'x.{kind}', exif=exif)
    found = np.asarray(read_rgb(tmp_path / f'x.{kind}', 'x')).astype(int)[..., 0]
    assert found.shape == upright(stored).shape and np.abs(found - upright(stored)).max() < 12


def test_damaged_exif_says_nothing(tmp_path):
    Image.fromarray(RGB).save(tmp_path / 'x.png', exif=b'Exif\0\0II*\0\xff\xff\xff\xff')
    assert np.array_equal(np.asarray(read_rgb(tmp_path / 'x.png', 'x')), RGB)


def test_a_missing_file_stays_one(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_rgb(tmp_path / 'x.png', 'x')
