"""Pieces of pictures brought to their size by OpenCV: Pillow's pixels, exact boxes, what it leaves to Pillow."""

import io

import cv2
import numpy as np
import pytest
from PIL import Image

from mmlt.datasets import ImageFolder
from mmlt.datasets.decode import TURNS, read_rgb
from mmlt.datasets.jpeg import decode, frame_of, upright
from mmlt.datasets.scaling import show_with_opencv, show_with_pillow
from mmlt.datasets.views import View
from mmlt.errors import UserError


def texture(height: int, width: int, seed: int = 0) -> np.ndarray:
    """A picture with edges and noise, uint8 (height, width, 3)."""
    draws = np.random.default_rng(seed)
    rows, columns = np.mgrid[:height, :width]
    waves = [90 * np.sin(rows / a + columns / b) for a, b in ((9, 17), (31, 5), (12, 80))]
    return np.clip(120 + np.stack(waves, axis=2) + draws.normal(0, 9, (height, width, 1)), 0, 255).astype(np.uint8)


def jpeg(pixels: np.ndarray, mode: str | None = None, **options) -> bytes:
    picture, stream = Image.fromarray(pixels), io.BytesIO()
    (picture.convert(mode) if mode else picture).save(stream, 'JPEG', **{'quality': 90, **options})
    return stream.getvalue()


JPEGS = {
    '4:2:0': {}, '4:2:2': dict(subsampling=1), '4:4:4': dict(subsampling=0), 'progressive': dict(progressive=True),
    'grey': dict(mode='L'), 'restarts': dict(restart_marker_blocks=4),
}  # fmt: skip


@pytest.mark.parametrize('kind', JPEGS)
def test_both_decoders_give_the_same_pixels(kind):
    content = jpeg(texture(61, 85), **JPEGS[kind])
    frame = frame_of(content)
    assert frame == (85, 61, 1)
    assert np.array_equal(decode(content, frame)[..., ::-1], np.asarray(read_rgb(content, 'x')))


@pytest.mark.parametrize('orientation', range(1, 9))
def test_turned_as_pillow_turns(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = jpeg(texture(40, 56), exif=exif)
    expected = np.asarray(read_rgb(content, 'x'))
    frame = frame_of(content)
    assert (frame.height, frame.width) == expected.shape[:2] and frame.orientation == orientation
    assert np.array_equal(decode(content, frame)[..., ::-1], expected)
    stored = texture(5, 7)
    turned = Image.fromarray(stored).transpose(TURNS[orientation]) if orientation > 1 else stored
    assert np.array_equal(upright(stored, orientation), np.asarray(turned))


def cut(content: bytes) -> bytes:
    return content[: len(content) * 2 // 3]


WHOLE = jpeg(texture(48, 64))
LEFT = {
    'CMYK': jpeg(texture(48, 64), 'CMYK'),
    'cut off': cut(WHOLE),
    'cut off behind a thumbnail': cut(WHOLE[:2] + b'\xff\xe2\x00\x06\xff\xd9\xff\xd9' + WHOLE[2:]),
    'no end': WHOLE[:-2],
    'PNG': b'\x89PNG\r\n\x1a\n' + WHOLE,
    'nothing': b'',
    'its beginning': WHOLE[:20],
    'no size': WHOLE.replace(b'\x00\x30\x00\x40', b'\x00\x00\x00\x40', 1),
    '12 bits': WHOLE.replace(b'\x08\x00\x30\x00\x40', b'\x0c\x00\x30\x00\x40', 1),
    'a text': b'<html>',
}


@pytest.mark.parametrize('kind', LEFT)
def test_what_is_left_to_pillow(kind):
    assert frame_of(WHOLE) and frame_of(WHOLE + b'\0' * 99) and frame_of(LEFT[kind]) is None
    out = np.zeros((8, 8, 3), np.uint8)
    try:
        expected = read_rgb(LEFT[kind], 'x')
    except UserError as error:
        with pytest.raises(UserError) as again:
            show_with_opencv(LEFT[kind], lambda w, h: [(0, 0, w, h)], out[None], 'x')
        assert str(again.value) == str(error)
    else:
        show_with_opencv(LEFT[kind], lambda w, h: [(0, 0, 8, 8)], out[None], 'x')
        assert np.array_equal(out, np.asarray(expected)[:8, :8])


def linear(pixels: np.ndarray, size: int) -> np.ndarray:
    """Slow bilinear scaling in float64, pixel centres on pixel centres, of (H, W, 3) to (size, size, 3)."""
    out = np.zeros((size, size, 3))
    for row in range(size):
        for column in range(size):
            y = min(max((row + 0.5) * len(pixels) / size - 0.5, 0), len(pixels) - 1)
            x = min(max((column + 0.5) * pixels.shape[1] / size - 0.5, 0), pixels.shape[1] - 1)
            y0, x0 = int(y), int(x)
            y1, x1 = min(y0 + 1, len(pixels) - 1), min(x0 + 1, pixels.shape[1] - 1)
            upper = pixels[y0, x0] * (1 - x + x0) + pixels[y0, x1] * (x - x0)
            lower = pixels[y1, x0] * (1 - x + x0) + pixels[y1, x1] * (x - x0)
            out[row, column] = upper * (1 - y + y0) + lower * (y - y0)
    return out


@pytest.mark.parametrize('box', [(10, 5, 43, 41), (3, 0, 33, 31), (20, 20, 28, 30)])
def test_a_piece_is_scaled_linearly(box):
    pixels = texture(48, 64)
    out, stream = np.zeros((24, 24, 3), np.uint8), io.BytesIO()
    Image.fromarray(pixels).save(stream, 'PNG')
    left, top, right, bottom = box
    show_with_opencv(stream.getvalue(), lambda w, h: [box], out[None], 'x')
    assert np.abs(out - linear(pixels[top:bottom, left:right].astype(float), 24)).max() <= 1


@pytest.mark.parametrize(('sides', 'reduction'), [((100, 120), 2), ((200, 199), 4), ((390, 400), 8), ((40, 47), 1)])
def test_large_pieces_are_averaged_not_skipped(sides, reduction):
    """Of a picture of single white lines every pixel keeps their mean, as it does with Pillow's widening filter."""
    pixels = np.zeros((*sides, 3), np.uint8)
    pixels[:, ::8] = 255  # 8 columns of the JPEG's blocks
    content = jpeg(pixels, quality=100, subsampling=0)
    out, pillow = np.zeros((2, 24, 24, 3), np.uint8)
    show_with_opencv(content, lambda w, h: [(0, 0, w, h)], out[None], 'x')
    show_with_pillow(content, lambda w, h: [(0, 0, w, h)], pillow[None], 'x')
    if reduction > 1:
        assert abs(out.mean() - pixels.mean()) < 4 and abs(out.mean() - pillow.mean()) < 4
    smooth = cv2.GaussianBlur(texture(*sides), (0, 0), min(sides) / 18)
    show_with_opencv(jpeg(smooth), lambda w, h: [(0, 0, w, h)], out[None], 'x')
    show_with_pillow(jpeg(smooth), lambda w, h: [(0, 0, w, h)], pillow[None], 'x')
    assert np.abs(out.astype(int) - pillow).mean() < 3


def test_a_middle_without_scaling_is_the_pixels_themselves():
    pixels, out = texture(32, 32), np.zeros((32, 32, 3), np.uint8)
    content = jpeg(pixels)
    show_with_opencv(content, View(32, 32, 32).boxes, out[None], 'x')
    assert np.array_equal(out, np.asarray(read_rgb(content, 'x')))


def test_the_backend_is_a_choice(tmp_path):
    (tmp_path / 'a').mkdir()
    (tmp_path / 'a' / 'x.jpg').write_bytes(jpeg(texture(90, 120)))
    options = dict(image_size=28, crop='random_resized')
    first, second = (ImageFolder(tmp_path, backend=backend, **options)[0, 5][0] for backend in ('opencv', 'pillow'))
    assert 0 < (first.int() - second.int()).abs().float().mean() < 12  # the same piece, other filters
    with Image.open(tmp_path / 'a' / 'x.jpg') as picture:
        box = ImageFolder(tmp_path, **options)._random_box(120, 90, 5)
        expected = picture.resize((28, 28), Image.Resampling.BILINEAR, box=box)
    assert np.array_equal(second.permute(1, 2, 0), np.asarray(expected))
    with pytest.raises(UserError, match='backend must be one of opencv, pillow'):
        ImageFolder(tmp_path, backend='cv2')
