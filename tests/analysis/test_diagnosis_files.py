"""What is said of one file: of every way to be broken, and of the odd ones that are whole."""

import io
import os
import struct
import sys
import zlib
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from planted_photos import encoded, tiles

from mmlt.analysis.diagnosis import scan as scanning
from mmlt.analysis.diagnosis.file_check import KINDS, Look, look_at, pixels_digest
from mmlt.analysis.diagnosis.sizes import size_rows


@pytest.fixture(scope='module')
def photo():
    return np.kron(tiles()[5], np.ones((3, 4, 1), np.uint8))  # 144 x 192


def png_with(data: bytes, name: bytes, content: bytes, checksum: int | None = None) -> bytes:
    """A PNG with one more chunk before its end."""
    sum_ = zlib.crc32(name + content) if checksum is None else checksum
    return data[:-12] + struct.pack('>I', len(content)) + name + content + struct.pack('>I', sum_) + data[-12:]


def flipped(data: bytes) -> bytes:
    place = data.index(b'IDAT') + 40
    return data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :]


BROKEN = {
    'half a JPEG': ('JPEG', lambda d: d[: len(d) // 2], 'truncated'),
    'half a progressive JPEG': ('progressive', lambda d: d[: len(d) // 2], 'truncated'),
    'a JPEG without its last byte': ('JPEG', lambda d: d[:-1], 'truncated'),
    'a JPEG with zeros for its second half': ('JPEG', lambda d: d[: len(d) // 2] + bytes(len(d) // 2), 'truncated'),
    'the first bytes of a JPEG': ('JPEG', lambda d: d[:30], 'truncated'),
    'half a PNG': ('PNG', lambda d: d[: len(d) // 2], 'truncated'),
    'a PNG without its end': ('PNG', lambda d: d[:-12], 'truncated'),
    'a PNG with another byte': ('PNG', flipped, 'damaged'),
    'half a WebP': ('WEBP', lambda d: d[: len(d) // 2], 'truncated'),
    'half a BMP': ('BMP', lambda d: d[: len(d) // 2], 'truncated'),
    'half a TIFF': ('TIFF', lambda d: d[: len(d) // 2], 'damaged'),
    'a web page': ('JPEG', lambda d: b'<html>', 'unreadable'),
    'nothing': ('JPEG', lambda d: b'', 'empty'),
}
WITH_SIMPLEJPEG = {
    'a JPEG that was cut and closed': ('JPEG', lambda d: d[: len(d) // 2] + b'\xff\xd9', 'damaged'),
    'a JPEG with zeros inside': ('JPEG', lambda d: d[: len(d) // 2] + bytes(2000) + d[len(d) // 2 + 2000 :], 'damaged'),
}


def content(photo, form):
    return encoded(photo, 'JPEG', progressive=True) if form == 'progressive' else encoded(photo, form)


@pytest.mark.parametrize('package', [True, False], ids=['with simplejpeg', 'without'])
def test_broken_files(tmp_path, photo, monkeypatch, package):
    if package:
        pytest.importorskip('simplejpeg', reason="simplejpeg is not installed (pip install 'mmlt[fast]')")
    else:
        monkeypatch.setitem(sys.modules, 'simplejpeg', None)
    for what, (form, change, kind) in (BROKEN | (WITH_SIMPLEJPEG if package else {})).items():
        file = tmp_path / 'x.img'
        file.write_bytes(change(content(photo, form)))
        look = look_at(str(file))
        assert KINDS[look.kind] == kind, (what, look.problem)
        assert look.problem and '\n' not in look.problem


def whole(photo):
    jpeg, png = encoded(photo, 'JPEG', quality=95), encoded(photo, 'PNG')
    yield 'JPEG', jpeg, 'RGB'
    yield 'with bytes behind its end', jpeg + bytes(5000), 'RGB'
    yield 'progressive', content(photo, 'progressive'), 'RGB'
    yield 'CMYK', _saved(Image.fromarray(photo).convert('CMYK'), 'JPEG'), 'CMYK'
    yield 'grey', encoded(photo[..., 0], 'JPEG'), 'L'
    yield 'PNG', png, 'RGB'
    yield 'PNG of 16 bits', encoded(photo[..., 0].astype(np.uint16) * 257, 'PNG'), 'I;16'
    yield 'PNG with a spoilt comment', png_with(png, b'tEXt', b'made\0here', 7), 'RGB'
    yield 'palette', _saved(Image.fromarray(photo).quantize(64), 'PNG'), 'P'
    yield 'TIFF', encoded(photo, 'TIFF', compression='tiff_lzw'), 'RGB'
    yield 'WebP', encoded(photo, 'WEBP', quality=95), 'RGB'


def _saved(picture, kind, **options):
    stream = io.BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


@pytest.mark.parametrize('package', [True, False], ids=['with simplejpeg', 'without'])
def test_whole_files_and_their_small_pictures(tmp_path, photo, monkeypatch, package):
    if not package:
        monkeypatch.setitem(sys.modules, 'simplejpeg', None)
    file = tmp_path / 'x.img'
    for what, data, mode in whole(photo):
        file.write_bytes(data)
        look = look_at(str(file))
        assert (look.problem, look.mode, look.width, look.height, look.size) == ('', mode, 192, 144, len(data)), what
        with Image.open(file) as picture:  # the mean of what each of 32 x 32 pixels covers, by another library
            grey = np.asarray(picture.convert('L') if mode != 'I;16' else Image.fromarray(photo[..., 0]), dtype=np.float64)
        exact = np.asarray(Image.fromarray(grey.astype(np.uint8)).resize((32, 32), Image.Resampling.BOX), dtype=float)
        assert np.abs(look.picture.astype(float) - exact).mean() < (3 if mode != 'CMYK' else 8), what


def test_a_turned_photo_is_seen_upright(tmp_path, photo):
    exif = Image.Exif()
    for turn, upright in ((1, photo), (3, photo[::-1, ::-1]), (6, np.rot90(photo, -1)), (8, np.rot90(photo, 1))):
        exif[0x0112] = turn
        (tmp_path / 'turned.jpg').write_bytes(encoded(photo, 'JPEG', quality=95, exif=exif))
        (tmp_path / 'upright.png').write_bytes(encoded(np.ascontiguousarray(upright), 'PNG'))
        turned, plain = look_at(str(tmp_path / 'turned.jpg')), look_at(str(tmp_path / 'upright.png'))
        assert (turned.width, turned.height) == (plain.width, plain.height)
        assert np.abs(turned.picture.astype(int) - plain.picture).mean() < 2


def test_what_is_no_file(tmp_path):
    (tmp_path / 'link').symlink_to(tmp_path / 'nothing')
    os.mkfifo(tmp_path / 'pipe')
    kinds = [KINDS[look_at(str(tmp_path / name)).kind] for name in ('none', 'link', 'pipe', '.')]
    assert kinds == ['missing', 'missing', 'unreadable', 'unreadable']
    assert pixels_digest(str(tmp_path / 'none')) == b''


def dies(file):
    if file == 'bomb':
        os._exit(9)
    return Look(size=int(file))


def test_a_file_that_kills_its_process_is_told_and_costs_no_other(monkeypatch):
    monkeypatch.setattr(scanning, 'SMALL', 0)
    monkeypatch.setattr(scanning, 'CHUNK', 2)
    files = ['1', '2', '3', 'bomb', '5', '6', '7']
    done = []
    found = dict(scanning._each(dies, files, 2, done.append, Look(problem='crashed')))
    assert {place: look.problem or look.size for place, look in found.items()} == {
        0: 1, 1: 2, 2: 3, 3: 'crashed', 4: 5, 5: 6, 6: 7,
    }  # fmt: skip
    assert sum(done) == 7


def test_sizes_are_said_as_they_are():
    width, height = np.array([100] * 8 + [40, 300]), np.array([50] * 8 + [80, 300])
    scan = SimpleNamespace(
        usable=np.ones(10, dtype=bool), widths=width, heights=height, modes=np.array(['RGB'] * 10), sizes=np.full(10, 1000),
        formats=np.array(['PNG'] * 10),
    )  # fmt: skip
    rows = dict(size_rows(SimpleNamespace(scan=scan)))
    low, high = np.percentile([50] * 8 + [40, 300], [5, 95])
    assert rows['shorter side'] == f'50 px (median); 5 % below {low:g}, 5 % above {high:g}; 40 to 300'
    assert rows['commonest sizes'].startswith('100 x 50 (8)') and '80% wide' in rows['shape'] and '10% high' in rows['shape']
