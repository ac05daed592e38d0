"""Photographs in class folders with defects planted, and the sets of what is wrong with them."""

import io
import shutil
import struct
import zlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

SIDE = 48
CLASSES = ('ash', 'beech', 'elm', 'oak')


def tiles() -> np.ndarray:
    """uint8 (N, 48, 48, 3): squares of scikit-learn's two photographs that show something and differ."""
    from sklearn.datasets import load_sample_images

    found = []
    for photo in load_sample_images().images:
        rows, columns = (size // SIDE for size in photo.shape[:2])
        cut = photo[: rows * SIDE, : columns * SIDE].reshape(rows, SIDE, columns, SIDE, 3).swapaxes(1, 2)
        found += [tile for tile in cut.reshape(-1, SIDE, SIDE, 3) if tile.mean(axis=2).std() > 25]
    return np.array(found)


@dataclass
class Planted:
    """What was planted.

    Args:
        root: folder with `train` and `test`.
        broken: path -> kind of each file that cannot be used.
        exact: sets of paths with equal pixels.
        near: pairs of paths of copies that are not equal.
        contradictory: sets of equal pictures with different labels.
    """

    root: Path
    broken: dict[str, str] = field(default_factory=dict)
    exact: set[frozenset[str]] = field(default_factory=set)
    near: set[frozenset[str]] = field(default_factory=set)
    contradictory: set[frozenset[str]] = field(default_factory=set)


def plant(root: Path, images: np.ndarray | None = None, labels: np.ndarray | None = None, crop: int = 2) -> Planted:
    """Write images as PNG and JPEG files, and plant one or two defects of each kind.

    Args:
        root: folder to fill.
        images: uint8 (N, H, W, 3); None for `tiles`.
        labels: (N,) of them; None for falling counts of four classes.
        crop: pixels that a cropped copy lacks at two sides.
    """
    images = tiles() if images is None else images
    if labels is None:
        labels = np.sort(np.floor(4 * np.linspace(0, 0.999, len(images)) ** 2.2)).astype(int)
    files: dict[str, list[str]] = {'train': [], 'test': []}
    for place, (image, label) in enumerate(zip(images, labels, strict=True)):
        split = 'test' if place % 4 == 3 else 'train'
        name = CLASSES[label] if len(set(labels)) <= len(CLASSES) else f'sign_{label:02}'
        path = f'{split}/{name}/{place:04}.{"jpg" if place % 2 else "png"}'
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(root / path, quality=92)
        files[split].append(path)
    planted = Planted(root)
    train = iter([path for path in files['train']])
    jpegs = iter([path for path in files['train'] if path.endswith('jpg')][1::2])
    pngs = iter([path for path in files['train'] if path.endswith('png')][1::2])
    _break(planted, next(jpegs), 'truncated', lambda data: data[: len(data) // 2])
    _break(planted, next(jpegs), 'truncated', lambda data: data[:-2])
    _break(planted, next(jpegs), 'truncated', lambda data: data[: len(data) // 2] + bytes(len(data) // 2))
    _break(planted, next(jpegs), 'unreadable', lambda data: b'<html>404 Not Found</html>')
    _break(planted, next(pngs), 'truncated', lambda data: data[: len(data) // 2])
    _break(planted, next(pngs), 'truncated', lambda data: data[:-12])
    _break(planted, next(pngs), 'damaged', _other_checksum)
    _break(planted, next(pngs), 'empty', lambda data: b'')
    gone = f'{Path(next(train)).parent}/gone.png'
    (root / gone).symlink_to('/nowhere/gone.png')
    planted.broken[gone] = 'missing'
    tests = iter(files['test'])
    for write in (_bytes_copy, _saved_anew):
        path = next(path for path in tests if path.endswith('jpg'))
        planted.exact.add(frozenset([path, write(root, path)]))
    path = next(jpegs)
    other = next(one for one in reversed(files['train']) if Path(one).parent != Path(path).parent)
    wrong = f'{Path(other).parent}/wrong.jpg'
    shutil.copy(root / path, root / wrong)
    planted.exact.add(frozenset([path, wrong]))
    planted.contradictory.add(frozenset([path, wrong]))
    for make in (lambda im: (im, 60), lambda im: (im.resize([3 * side // 4 for side in im.size], Image.Resampling.BICUBIC), 95),
                 lambda im: (im.crop((crop, 0, im.width, im.height - crop)), 92)):  # fmt: skip
        path = next(tests)
        copy = f'train/{Path(path).parent.name}/copy_{Path(path).stem}.jpg'
        picture, quality = make(Image.open(root / path).convert('RGB'))
        picture.save(root / copy, quality=quality)
        planted.near.add(frozenset([path, copy]))
    return planted


def _break(planted: Planted, path: str, kind: str, change) -> None:
    file = planted.root / path
    file.write_bytes(change(file.read_bytes()))
    planted.broken[path] = kind


def _other_checksum(data: bytes) -> bytes:
    """A PNG whose pixels Pillow reads, though the checksum of their chunk is another."""
    place = data.index(b'IDAT')
    end = place + 4 + struct.unpack('>I', data[place - 4 : place])[0]
    assert zlib.crc32(data[place:end]) == struct.unpack('>I', data[end : end + 4])[0]
    return data[:end] + b'\0\0\0\0' + data[end + 4 :]


def _bytes_copy(root: Path, path: str) -> str:
    copy = path.replace('test/', 'train/').replace('.', '_copy.')
    shutil.copy(root / path, root / copy)
    return copy


def _saved_anew(root: Path, path: str) -> str:
    """The pixels of a JPEG as a PNG."""
    copy = path.replace('test/', 'train/').replace('.jpg', '_anew.png')
    Image.open(root / path).save(root / copy)
    return copy


def encoded(image: np.ndarray, kind: str, **options) -> bytes:
    """An image as the content of a file."""
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, kind, **options)
    return stream.getvalue()
