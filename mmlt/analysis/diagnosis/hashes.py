"""Perceptual hashes: 64 bits of a small grey picture that survive encoding, scaling and a slight crop."""

import itertools

import numpy as np

SIDE = 32  # of the grey pictures
BITS = 64
# Windows of a picture that a slightly cropped copy may show: as much is cut off at the left, right, top and bottom together.
CUTS = (0.04, 0.08)
FLAT = 2.0  # standard deviation in grey levels below which a picture has nothing to tell it by


def _windows() -> np.ndarray:
    """(V, 2, 2): top and bottom, left and right of each window, as fractions; the first is the whole picture."""
    whole = [((0.0, 1.0), (0.0, 1.0))]
    cut = [
        ((y * side, 1 - (1 - y) * side), (x * side, 1 - (1 - x) * side))
        for side in CUTS
        for y, x in itertools.product((0.0, 0.5, 1.0), repeat=2)
    ]
    return np.array(whole + cut)


def _means(size: int, start: float, stop: float) -> np.ndarray:
    """(size, SIDE): row i gives the mean of the pixels that the i-th of `size` equal parts of [start, stop] covers."""
    edges = np.linspace(start, stop, size + 1) * SIDE
    pixels = np.arange(SIDE)
    covered = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    covered = np.clip(covered, 0, None)
    return covered / covered.sum(axis=1, keepdims=True)


def _cosines(size: int = 32, count: int = 12) -> np.ndarray:
    """(count, size): the lowest rows of the discrete cosine transform (DCT-II)."""
    return np.cos(np.pi * (2 * np.arange(size) + 1) * np.arange(count)[:, None] / (2 * size))


WINDOWS = _windows()
# The 64 lowest frequencies after the constant one, by the sum of both, so that neither direction prevails.
_ORDER = sorted(itertools.product(range(12), repeat=2), key=lambda uv: (sum(uv), uv))[1 : BITS + 1]
_ROWS, _COLUMNS = np.array(_ORDER).T


def hashes(pictures: np.ndarray, window: int = 0) -> np.ndarray:
    """The signs of the 64 lowest frequencies of each picture.

    Args:
        pictures: uint8 (N, 32, 32), grey.
        window: place in `WINDOWS` of the part that is hashed; 0 is the whole.

    Returns:
        (N,) uint64.

    Source: the DCT hash of pHash (Zauner, Implementation and benchmarking of perceptual image hash functions, 2010), with the
    sign for the comparison with the median.
    """
    (top, bottom), (left, right) = WINDOWS[window]
    vertical = (_cosines() @ _means(32, top, bottom)).astype(np.float32)
    horizontal = (_cosines() @ _means(32, left, right)).astype(np.float32)
    found = np.empty(len(pictures), dtype=np.uint64)
    for start in range(0, len(pictures), 4096):
        part = pictures[start : start + 4096].astype(np.float32)
        spectrum = vertical @ part @ horizontal.T  # (n, 12, 12)
        bits = spectrum[:, _ROWS, _COLUMNS] > 0
        found[start : start + 4096] = np.packbits(np.ascontiguousarray(bits), axis=1).view(np.uint64)[:, 0]
    return found


def likeness(first: np.ndarray, second: np.ndarray, window: int = 0, size: int = 16) -> np.ndarray:
    """Correlation of pairs of pictures, each as `size` x `size` means.

    Args:
        first: uint8 (M, 32, 32), of which the window is taken.
        second: uint8 (M, 32, 32), the whole.
        window: place in `WINDOWS`.
        size: 16; 32 sees finer differences, those of encoding among them.

    Returns:
        (M,) float32 in [-1, 1]; 0 where a picture is of one grey.
    """
    found = np.empty(len(first), dtype=np.float32)
    for start in range(0, len(first), 8192):
        place = slice(start, start + 8192)
        one, other = _centred(first[place], window, size), _centred(second[place], 0, size)
        norm = np.sqrt((one**2).sum(axis=(1, 2)) * (other**2).sum(axis=(1, 2)))
        found[place] = (one * other).sum(axis=(1, 2)) / np.maximum(norm, 1e-6)
    return found


def _centred(pictures: np.ndarray, window: int, size: int) -> np.ndarray:
    (top, bottom), (left, right) = WINDOWS[window]
    means = _means(size, top, bottom).astype(np.float32) @ pictures.astype(np.float32)
    means = means @ _means(size, left, right).astype(np.float32).T
    return means - means.mean(axis=(1, 2), keepdims=True)


def is_flat(pictures: np.ndarray) -> np.ndarray:
    """(N,) bool: whether a picture is of nearly one grey, so that its hash is chance."""
    return pictures.reshape(len(pictures), SIDE * SIDE).std(axis=1, dtype=np.float32) < FLAT


def count_bits(values: np.ndarray) -> np.ndarray:
    """Bits that are 1 in each of (M,) uint64."""
    if hasattr(np, 'bitwise_count'):  # from NumPy 2
        return np.bitwise_count(values)
    return np.unpackbits(values.view(np.uint8).reshape(len(values), 8), axis=1).sum(axis=1, dtype=np.uint8)
