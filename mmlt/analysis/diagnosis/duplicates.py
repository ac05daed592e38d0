"""Images that are there more than once: the same pixels, or so alike that one is a copy of the other."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from mmlt.analysis.diagnosis.hashes import WINDOWS, is_flat, likeness
from mmlt.analysis.diagnosis.scan import Scan
from mmlt.analysis.diagnosis.similar import Pairs, groups_of, similar_pairs

SURE = 0.96  # correlation of 32 x 32 grey pictures from which two that are labelled differently are worth a look
CLOSE = 4.0  # grey levels by which the mean of equal pictures may differ when one was decoded at a reduced size


@dataclass
class Duplicates:
    """Which of N images repeat others.

    Args:
        exact: (N,) the least place of an image with the same pixels; an image's own where it has none.
        same_file: (N,) the same, by the bytes of the files.
        near: pairs of different images that look alike.
        near_group: (N,) the least place of the images that hang together by `near` and `exact`.
        flat: (N,) bool: images of one colour, which are not compared by their look.
    """

    exact: np.ndarray
    same_file: np.ndarray
    near: Pairs
    near_group: np.ndarray
    flat: np.ndarray


def find_duplicates(scan: Scan, digests_of: Callable[[Sequence[int]], Sequence[bytes]]) -> Duplicates:
    """Exact and near duplicates among the images that can be decoded.

    Args:
        scan: of the files.
        digests_of: gives a hash of the pixels of the images at some places; asked for where look and size are the same and the
            files differ.
    """
    usable = np.flatnonzero(scan.usable)
    same_file = np.arange(len(scan))
    same_file[usable] = _first_of(scan.digests[usable], usable)
    once = usable[same_file[usable] == usable]
    pairs = similar_pairs(scan.pictures[once])
    pairs = Pairs(once[pairs.first], once[pairs.second], pairs.bits)
    flat = np.zeros(len(scan), dtype=bool)
    flat[usable] = is_flat(scan.pictures[usable])
    exact = same_file.copy()
    candidates = _maybe_equal(scan, groups_of(pairs, len(scan)), once, flat)
    if len(candidates):
        digests = np.array([np.void(digest.ljust(16, b'\0')) for digest in digests_of(candidates.tolist())])
        readable = digests != np.void(bytes(16))
        candidates, digests = candidates[readable], digests[readable]
        exact[candidates] = _first_of(digests, candidates)
        exact = exact[same_file]
    different = exact[pairs.first] != exact[pairs.second]
    near = Pairs(pairs.first[different], pairs.second[different], pairs.bits[different])
    copies = np.flatnonzero(exact != np.arange(len(scan)))
    both = Pairs(np.r_[near.first, exact[copies]], np.r_[near.second, copies], np.r_[near.bits, np.zeros(len(copies), int)])
    return Duplicates(exact, same_file, near, groups_of(both, len(scan)), flat)


def _first_of(keys: np.ndarray, places: np.ndarray) -> np.ndarray:
    """For each key the first place that has it; places rise."""
    if not len(keys):
        return places
    _, first, group = np.unique(keys, return_index=True, return_inverse=True)
    return places[first[group.reshape(-1)]]


def _maybe_equal(scan: Scan, group: np.ndarray, once: np.ndarray, flat: np.ndarray) -> np.ndarray:
    """Places that share look, width and height with another one and differ little in brightness."""
    mean = scan.pictures[once].reshape(len(once), -1).mean(axis=1, dtype=np.float32) if len(once) else np.empty(0, np.float32)
    look = np.where(flat[once], -1, group[once])
    order = np.lexsort((mean, scan.heights[once], scan.widths[once], look))
    keys = np.stack([look, scan.widths[once], scan.heights[once]], axis=1)[order]
    near = (keys[1:] == keys[:-1]).all(axis=1) & (np.diff(mean[order]) <= CLOSE)
    chosen = np.zeros(len(once), dtype=bool)
    chosen[1:] |= near
    chosen[:-1] |= near
    return np.sort(once[order][chosen])


def alikeness(pictures: np.ndarray, pairs: Pairs) -> np.ndarray:
    """(M,) the best correlation of each pair at 32 x 32, over the windows that one may show of the other."""
    best = np.full(len(pairs), -1, dtype=np.float32)
    for window in range(len(WINDOWS)):
        for one, other in ((pairs.first, pairs.second), (pairs.second, pairs.first)):
            np.maximum(best, likeness(pictures[one], pictures[other], window, 32), out=best)
    return best
