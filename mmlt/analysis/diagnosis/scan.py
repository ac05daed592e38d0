"""All files of a set looked at, in several processes."""

import multiprocessing
import os
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from mmlt.analysis.diagnosis.file_check import DAMAGED, KINDS, NONE, UNREADABLE, Look, look_at, pixels_digest, quiet
from mmlt.analysis.diagnosis.hashes import SIDE

CHUNK = 64  # files a process takes at once
SMALL = 200  # files that are not worth a process
AHEAD = 4  # chunks handed out a process


@dataclass
class Scan:
    """What the N files of a set are.

    Args:
        kinds: (N,) int8 places in `KINDS`; 0 is a file with nothing wrong.
        problems: place -> what is wrong, in words that follow its name.
        formats, modes: (N,) texts, empty where it is no image.
        widths, heights: (N,) int32 pixels, upright; 0 where unknown.
        sizes: (N,) int64 bytes.
        digests: (N,) of 16 bytes, of the files.
        pictures: uint8 (N, 32, 32), grey.
        seconds: the looking took.
    """

    kinds: np.ndarray
    formats: np.ndarray
    modes: np.ndarray
    widths: np.ndarray
    heights: np.ndarray
    sizes: np.ndarray
    digests: np.ndarray
    pictures: np.ndarray
    problems: dict[int, str] = field(default_factory=dict)
    seconds: float = 0.0

    def __len__(self) -> int:
        return len(self.kinds)

    @property
    def usable(self) -> np.ndarray:
        """(N,) bool: nothing is wrong with the file."""
        return self.kinds == NONE

    @classmethod
    def of(cls, count: int) -> 'Scan':
        """For `count` files that are still to be looked at."""
        return cls(
            np.zeros(count, np.int8), np.full(count, '', dtype='U8'), np.full(count, '', dtype='U8'),
            np.zeros(count, np.int32), np.zeros(count, np.int32), np.zeros(count, np.int64), np.zeros(count, 'V16'),
            np.zeros((count, SIDE, SIDE), np.uint8),
        )  # fmt: skip

    def put(self, place: int, look: Look) -> None:
        self.kinds[place], self.formats[place], self.modes[place] = look.kind, look.format, look.mode
        self.widths[place], self.heights[place], self.sizes[place] = look.width, look.height, look.size
        self.digests[place] = np.void(look.digest)
        if look.picture is not None:
            self.pictures[place] = look.picture
        if look.problem:
            self.problems[place] = look.problem

    def of_kind(self, kind: str) -> np.ndarray:
        """Places of the files with one kind of problem."""
        return np.flatnonzero(self.kinds == KINDS.index(kind))


def scan(files: Sequence[str], workers: int | None = None, progress: Callable[[int], None] | None = None) -> Scan:
    """Look at files, see `look_at`.

    Args:
        files: N paths.
        workers: processes; None for the number of processors that this one may use.
        progress: called with the number of files done since the last call.
    """
    found = Scan.of(len(files))
    crashed = Look(UNREADABLE, 'ends the process that decodes it: replace it')
    for place, look in _each(look_at, files, workers, progress, crashed):
        found.put(place, look)
    return found


def pixel_digests(files: Sequence[str], workers: int | None = None) -> list[bytes]:
    """BLAKE2b of the pixels of files, see `pixels_digest`."""
    found = [b''] * len(files)
    for place, digest in _each(pixels_digest, files, workers, None, b''):
        found[place] = digest
    return found


def processors() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1


def _part(what: Callable[[str], Any], files: list[str]) -> list[Any]:
    return [what(file) for file in files]


def _each(what, files, workers, progress, crashed):  # noqa: ANN001, ANN202
    """Places and what a function gives of the files, in the order in which they are done."""
    workers = processors() if workers is None else workers
    if workers <= 1 or len(files) <= SMALL:
        for place, file in enumerate(files):
            yield place, what(file)
            if progress:
                progress(1)
        return
    parts = [range(start, min(start + CHUNK, len(files))) for start in range(0, len(files), CHUNK)]
    broken: list[range] = []
    for part, given in _in_processes(what, files, parts, workers, broken):
        yield from zip(part, given, strict=True)
        if progress:
            progress(len(part))
    single = [range(place, place + 1) for part in broken for place in part]
    while single:  # what took a process down is among these: one at a time tells which
        failed: list[range] = []
        for part, given in _in_processes(what, files, single, 1, failed, ahead=1):
            yield from zip(part, given, strict=True)
            if progress:
                progress(1)
        if failed:
            yield failed[0].start, crashed
            if progress:
                progress(1)
        single = failed[1:]


def _in_processes(what, files, parts, workers, broken, ahead=AHEAD):  # noqa: ANN001, ANN202
    """Parts and what they gave; those not done when a process died are appended to `broken`, the running ones first."""
    context = multiprocessing.get_context('fork' if 'fork' in multiprocessing.get_all_start_methods() else 'spawn')
    left, running = list(reversed(parts)), {}
    with ProcessPoolExecutor(workers, mp_context=context, initializer=quiet) as pool:
        try:
            while left or running:
                while left and len(running) < workers * ahead:
                    part = left.pop()
                    running[pool.submit(partial(_part, what), [files[place] for place in part])] = part
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    given = future.result()
                    yield running.pop(future), given
        except BrokenProcessPool:
            broken.extend([*running.values(), *reversed(left)])
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


__all__ = ['DAMAGED', 'Scan', 'pixel_digests', 'processors', 'scan']
