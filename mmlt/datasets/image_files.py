"""What is known of many image files at once: whether they are there, and the hash of their bytes, remembered by their times."""

import contextlib
import errno
import hashlib
import json
import os
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from mmlt.errors import UserError, brief
from mmlt.files import atomic_write, sha256_of

# A set of up to so many files and bytes is hashed whole; of a larger one the names, the sizes and a sample of the files.
WHOLE_FILES, WHOLE_BYTES = 100_000, 2 * 2**30
SAMPLE_FILES, SAMPLE_BYTES = 4096, 2**30
THREADS = 16  # what waits for a disk or a network, not for a processor
CHUNK = 64  # files a thread takes at once
SETTLED = 2.0  # seconds after which a changed file has another time for certain
REMEMBERED = 500  # entries
MODE, SIZE, MTIME, CTIME, INODE, DEVICE = range(6)


def facts_of(files: Sequence[str]) -> np.ndarray:
    """What the system says of files, links followed.

    Args:
        files: N paths.

    Returns:
        (N, 6) int64: mode, size, times in ns of modification and of change, inode, device; for a file that cannot be
        seen, mode 0 and the error's number as size.
    """
    return np.array(list(in_threads(_facts, files)), dtype=np.uint64).astype(np.int64).reshape(-1, 6)


def facts_of_list(name: str, count: int, file_of: Callable[[int], str]) -> np.ndarray:
    """`facts_of` of the files of a large list, kept from run to run.

    To ask for half a million files takes seconds, on a network minutes. What was found the last time is believed where
    `SAMPLE_FILES` of the files, other ones each time, are as they were found; else all are asked for again.

    Args:
        name: of the list: a hash of its paths and their folder.
        count: N files.
        file_of: the path of each.
    """
    kept = cache_file().parent / 'facts' / f'{hashlib.sha256(name.encode()).hexdigest()[:32]}.npy'
    try:
        known = np.load(kept, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        known = np.empty(0)
    if known.dtype == np.int64 and known.shape == (count, 6):
        drawn = np.random.default_rng().choice(count, min(count, SAMPLE_FILES), replace=False)
        if np.array_equal(facts_of([file_of(int(place)) for place in drawn]), known[drawn]):
            return known
    facts = facts_of([file_of(place) for place in range(count)])
    if are_files(facts).all() and facts[:, (MTIME, CTIME)].max() < (time.time() - SETTLED) * 1e9:
        with contextlib.suppress(OSError):  # a home that cannot be written, a full disk
            atomic_write(kept, lambda file: np.save(file, facts))
    return facts


def _facts(file: str) -> tuple[int, ...]:
    try:
        seen = os.stat(file)
    except OSError as error:
        return 0, error.errno or errno.EIO, 0, 0, 0, 0
    except ValueError:  # a name that no file can have
        return 0, errno.ENOENT, 0, 0, 0, 0
    times = (max(0, seen.st_mtime_ns), max(0, seen.st_ctime_ns))
    return seen.st_mode, seen.st_size, *times, seen.st_ino & (2**64 - 1), seen.st_dev & (2**64 - 1)


def are_files(facts: np.ndarray) -> np.ndarray:
    """Which of (N, 6) `facts` are of files with something in them, (N,) bool."""
    return ((facts[:, MODE] & 0o170000) == stat.S_IFREG) & (facts[:, SIZE] > 0)


def problems_of(file_of: Callable[[int], str], facts: np.ndarray) -> dict[int, str]:
    """`problem_of` of many files, by their rows; those that everybody may read are not asked for again.

    Args:
        file_of: the path of the file of each row.
        facts: of `facts_of`, (N, 6).
    """
    asked = np.flatnonzero(~are_files(facts) | ((facts[:, MODE] & 0o444) != 0o444)).tolist()
    return {row: why for row in asked if (why := problem_of(file_of(row), facts[row]))}


def problem_of(file: str, facts: np.ndarray) -> str | None:
    """Why a file cannot be an image, in words that follow its name; None where it may be one."""
    mode, size = int(facts[MODE]), int(facts[SIZE])
    if not mode:
        if size in (errno.ENOENT, errno.ENOTDIR):
            return 'is a link to nothing' if os.path.islink(file) else 'is missing'
        return f'cannot be reached ({os.strerror(size)})'
    if stat.S_ISDIR(mode):
        return 'is a folder'
    if not stat.S_ISREG(mode):
        return 'is a pipe, a socket or a device'
    if not size:
        return 'is empty'
    return None if os.access(file, os.R_OK) else 'may not be read'


def read_whole(sizes: np.ndarray) -> np.ndarray:
    """Places of the files whose bytes stand for a set: all, or the sample that `RandomState(0)` draws from a large one.

    Args:
        sizes: (N,) of its files, in bytes.
    """
    if len(sizes) <= WHOLE_FILES and sizes.sum() <= WHOLE_BYTES:
        return np.arange(len(sizes))
    drawn = np.random.RandomState(0).permutation(len(sizes))[:SAMPLE_FILES]
    within = int(np.searchsorted(np.cumsum(sizes[drawn]), SAMPLE_BYTES, side='right'))
    return np.sort(drawn[: max(1, within)])


def bytes_sha256(files: Sequence[str], facts: np.ndarray) -> str:
    """SHA-256 over the SHA-256 of each file, in this order.

    Args:
        files: N paths.
        facts: of `facts_of`, (N, 6): as long as they stay the same, the files are not read again.

    Raises:
        UserError: a file cannot be read.
    """

    def read() -> str:
        digest = hashlib.sha256()
        for one in in_threads(_sha256, files):
            digest.update(bytes.fromhex(one))
        return digest.hexdigest()

    return remembered('bytes', files, facts, read, lambda value: isinstance(value, str) and len(value) == 64)


def state_sha256(files: Sequence[str]) -> str:
    """SHA-256 that tells whether one of these files has changed.

    Of up to `WHOLE_FILES` and `WHOLE_BYTES` it is over their bytes, of a larger set over their sizes and times of
    modification, each file asked for now.

    Args:
        files: N paths.
    """
    facts = facts_of(files)
    if are_files(facts).all() and len(read_whole(facts[:, SIZE])) == len(files):
        return bytes_sha256(files, facts)
    return hashlib.sha256(np.ascontiguousarray(facts[:, (SIZE, MTIME)])).hexdigest()


def _sha256(file: str) -> str:
    try:
        return sha256_of(file)
    except OSError as error:
        raise UserError(f'{brief(file, 4096)} cannot be read ({error.strerror}): make it readable.') from error


def in_threads(what: Callable[[Any], Any], items: Sequence) -> Iterator:
    """`map` over threads, in order."""
    starts = range(0, len(items), CHUNK)
    with ThreadPoolExecutor(THREADS) as pool:
        for part in pool.map(lambda start: [what(item) for item in items[start : start + CHUNK]], starts):
            yield from part


def remembered(
    what: str, files: Sequence[str], facts: np.ndarray, make: Callable[[], Any], fits: Callable[[Any], bool]
) -> Any:
    """What `make()` gave the last time for the same files with the same facts, in this process or another one.

    A file that is replaced gets another time of change, even where its time of modification is put back; where a time is
    too new to tell, nothing is kept. The cache is one small file; if it is damaged or cannot be written, all is done anew.

    Args:
        what: is remembered: part of the key.
        files: N paths.
        facts: of `facts_of`, (N, 6).
        make: gives a value that JSON can hold.
        fits: whether a value from the cache is one that `make` could have given.
    """
    digest = hashlib.sha256(what.encode())
    for file, row in zip(files, facts, strict=True):
        digest.update(os.path.abspath(file).encode('utf-8', 'surrogateescape') + b'\0' + row.tobytes())
    key = digest.hexdigest()
    known = _read_cache().get(key)
    if known is not None and fits(known):
        return known
    settled = len(facts) and facts[:, (MTIME, CTIME)].max() < (time.time() - SETTLED) * 1e9
    value = make()
    if settled:
        newest = list({**_read_cache(), key: value}.items())[-REMEMBERED:]
        try:
            atomic_write(cache_file(), json.dumps(dict(newest)))
        except OSError:  # a home that cannot be written, a full disk
            pass
    return value


def cache_file() -> Path:
    """Where it is kept: `mmlt/images.json` below `XDG_CACHE_HOME`, or below `~/.cache`."""
    return Path(os.environ.get('XDG_CACHE_HOME') or os.path.expanduser('~/.cache'), 'mmlt', 'images.json')


def _read_cache() -> dict:
    try:
        content = json.loads(cache_file().read_text(encoding='utf-8'))
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}
