"""Pairs of pictures that look the same, found without comparing each with each."""

from dataclasses import dataclass

import numpy as np

from mmlt.analysis.diagnosis.hashes import BITS, SIDE, WINDOWS, count_bits, hashes, is_flat, likeness

DISTANCE = 7  # bits of 64 that may differ
LIKENESS = 0.97  # least correlation, at 16 x 16, of two that are copies
CONTRAST = 1.28  # most by which the standard deviations of their grey levels differ, as a factor
LIGHT = 40  # most by which their mean grey levels differ
BANDS = 4
WIDTH = BITS // BANDS
AT_ONCE = 2_000_000  # candidates held in memory


@dataclass
class Pairs:
    """Pairs of images, each once.

    Args:
        first, second: (M,) int64 places, first < second.
        bits: (M,) bits of the hashes that differ.
    """

    first: np.ndarray
    second: np.ndarray
    bits: np.ndarray

    def __len__(self) -> int:
        return len(self.first)

    def take(self, rows: np.ndarray) -> 'Pairs':
        """Some of the pairs."""
        return Pairs(self.first[rows], self.second[rows], self.bits[rows])


def similar_pairs(pictures: np.ndarray) -> Pairs:
    """Pairs that are copies by the look of them: re-encoded, scaled, brightened or slightly cropped.

    Two hashes within 7 bits agree up to one bit in one of four parts of 16, so all such pairs are found by looking up each part
    as it is and with each of its bits turned: 68 look-ups an image in sorted lists, whatever the number of images. What is
    found is kept where the pictures correlate, in about the same light and contrast. Of images with equal hashes that look
    alike, one stands for all.

    Args:
        pictures: uint8 (N, 32, 32), grey.

    Returns:
        The pairs; of flat pictures none.
    """
    own, light = hashes(pictures), _Light(pictures)
    usable = np.flatnonzero(~is_flat(pictures))
    alike, leaders = _same_hash(light, own, usable)
    found = [alike]
    index = _Index(own[leaders])
    for window in range(len(WINDOWS)):
        asked = own[leaders] if window == 0 else hashes(pictures[leaders], window)
        for asking, known, bits in index.near(asked):
            keep = asking < known if window == 0 else asking != known
            asking, known, bits = leaders[asking[keep]], leaders[known[keep]], bits[keep]
            like = light.alike(asking, known, window)
            found.append(np.stack([asking[like], known[like], bits[like]], axis=1))
    return _unique(np.concatenate(found))


class _Light:
    """Pictures that are compared, with the mean and the standard deviation of each."""

    def __init__(self, pictures: np.ndarray) -> None:
        self.pictures = pictures
        flat = pictures.reshape(len(pictures), SIDE * SIDE)
        self.mean = flat.mean(axis=1, dtype=np.float32)
        self.spread = np.maximum(flat.std(axis=1, dtype=np.float32), 1e-3)

    def alike(self, first: np.ndarray, second: np.ndarray, window: int = 0) -> np.ndarray:
        """(M,) bool for pairs of places: whether the second, whole, looks like the window of the first."""
        ratio = self.spread[first] / self.spread[second]
        found = (np.abs(self.mean[first] - self.mean[second]) <= LIGHT) & (ratio <= CONTRAST) & (ratio >= 1 / CONTRAST)
        rows = np.flatnonzero(found)
        found[rows] = likeness(self.pictures[first[rows]], self.pictures[second[rows]], window) >= LIKENESS
        return found


def _same_hash(light: '_Light', own: np.ndarray, usable: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of equal hashes as stars, and one image of each star: (M, 3), (L,)."""
    pairs, leaders, left = [], [], usable
    while len(left):  # each round takes the first of each hash, and all that look like it
        _, first, group = np.unique(own[left], return_index=True, return_inverse=True)
        star = left[first][group]
        taken = (star == left) | light.alike(star, left)
        member = taken & (star != left)
        leaders.append(left[first])
        pairs.append(np.stack([star[member], left[member], np.zeros(member.sum(), np.int64)], axis=1))
        left = left[~taken]
    empty = np.empty((0, 3), dtype=np.int64)
    return np.concatenate([empty, *pairs]), np.sort(np.concatenate([np.empty(0, np.int64), *leaders]))


class _Index:
    """Sorted 16-bit parts of hashes."""

    def __init__(self, known: np.ndarray) -> None:
        self.known = known
        self.parts = []
        for band in range(BANDS):
            part = _part(known, band)
            order = np.argsort(part, kind='stable')
            self.parts.append((order, np.searchsorted(part[order], np.arange(2**WIDTH + 1))))

    def near(self, asked: np.ndarray):  # noqa: ANN201
        """Places in `asked` and in `known`, and the bits that differ, of all pairs within `DISTANCE`; some come twice."""
        for band, (order, starts) in enumerate(self.parts):
            part = _part(asked, band)
            for turned in (0, *(1 << bit for bit in range(WIDTH))):
                begin, end = starts[part ^ turned], starts[(part ^ turned) + 1]
                counts = end - begin
                for rows in _portions(counts):
                    asking = np.repeat(rows, counts[rows])
                    within = np.arange(len(asking)) - np.repeat(np.cumsum(counts[rows]) - counts[rows], counts[rows])
                    known = order[begin[asking] + within]
                    bits = count_bits(asked[asking] ^ self.known[known])
                    near = bits <= DISTANCE
                    yield asking[near], known[near], bits[near].astype(np.int64)


def _portions(counts: np.ndarray):  # noqa: ANN202
    rows = np.flatnonzero(counts)
    total = np.cumsum(counts[rows])
    cuts = np.searchsorted(total, np.arange(AT_ONCE, total[-1] if len(total) else 0, AT_ONCE))
    return np.split(rows, np.unique(cuts)) if len(rows) else []


def _part(values: np.ndarray, band: int) -> np.ndarray:
    return (values >> np.uint64(band * WIDTH)).astype(np.int64) & (2**WIDTH - 1)


def _unique(found: np.ndarray) -> Pairs:
    first, second = found[:, :2].min(axis=1), found[:, :2].max(axis=1)
    order = np.lexsort((found[:, 2], second, first))
    first, second, bits = first[order], second[order], found[order, 2]
    new = np.r_[True, (np.diff(first) != 0) | (np.diff(second) != 0)][: len(first)]
    return Pairs(first[new], second[new], bits[new])


def groups_of(pairs: Pairs, count: int) -> np.ndarray:
    """Which images hang together by pairs.

    Args:
        pairs: of places below `count`.
        count: N.

    Returns:
        (N,) the least place among the images that each hangs together with; its own for one in no pair.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    graph = coo_array((np.ones(len(pairs), dtype=np.int8), (pairs.first, pairs.second)), shape=(count, count))
    _, component = connected_components(graph, directed=False)
    least = np.full(component.max(initial=-1) + 1, count)
    np.minimum.at(least, component, np.arange(count))
    return least[component]
