"""Packing: images made small in several processes, written one behind another, gone on with where it was stopped."""

import hashlib
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

import cv2
import numpy as np

from mmlt.datasets.decode import read_content, read_rgb
from mmlt.datasets.jpeg import FLAGS, decode, frame_of
from mmlt.datasets.pack import BEGIN, Pack, digest_of, header_of, index_of
from mmlt.datasets.pack_journal import RECORD, SYNCED, begun
from mmlt.errors import UserError, brief
from mmlt.files import sync_folder

CHUNK = 16  # images that a process takes at once
MOST_SIDE = 65_500  # of a JPEG


@dataclass(frozen=True)
class Recipe:
    """What is done with each image.

    Args:
        side: the shorter side is scaled down to this, in pixels; what is smaller stays as it is.
        quality: of the JPEGs, 1 to 100.
        max_value: see `read_rgb`.
    """

    side: int = 256
    quality: int = 90
    max_value: float | None = None


@dataclass(frozen=True)
class Split:
    """Some of the images with their labels.

    Args:
        name: of it.
        paths: M paths below the folder.
        labels: (M,) int64.
        classes: names.
    """

    name: str
    paths: Sequence[str]
    labels: np.ndarray
    classes: Sequence[str]


def small(content: bytes, recipe: Recipe, name: str) -> tuple[bytes, int, int]:
    """A picture as a JPEG with its short side scaled down, upright, and its width and height.

    A JPEG that is upright and no larger is kept as it is.

    Args:
        content: of the file.
        recipe: what to do.
        name: of the file, for messages.

    Raises:
        UserError: it is no picture that can be read.
    """
    frame, picture = frame_of(content), None
    if frame is not None:
        short = min(frame.width, frame.height)
        picture = decode(content, frame, max(factor for factor in FLAGS if factor == 1 or short >= factor * recipe.side))
        if picture is not None and short <= recipe.side and frame.orientation == 1:
            return content, frame.width, frame.height
    if picture is None:
        picture = np.ascontiguousarray(np.asarray(read_rgb(content, name, recipe.max_value))[..., ::-1])
    height, width = (frame.height, frame.width) if frame else picture.shape[:2]  # it may have been decoded smaller
    if (shrink := recipe.side / min(height, width)) < 1:
        width, height = max(round(width * shrink), 1), max(round(height * shrink), 1)
        picture = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
    if max(width, height) > MOST_SIDE:
        raise UserError(f'{name} is {width} x {height} pixels, more than a JPEG can have: leave it out.')
    return cv2.imencode('.jpg', picture, [cv2.IMWRITE_JPEG_QUALITY, recipe.quality])[1].tobytes(), width, height


def _work(root: str, recipe: Recipe, paths: list[str]) -> list[tuple[bytes, int, int] | str]:
    made: list[tuple[bytes, int, int] | str] = []
    for path in paths:
        file = os.path.join(root, path)
        try:
            made.append(small(read_content(file, brief(file, 4096)), recipe, brief(file, 4096)))
        except FileNotFoundError:
            made.append(f'{brief(file, 4096)} is missing')
        except UserError as error:
            made.append(str(error).removesuffix('.').removesuffix(': replace it'))
    return made


def write_pack(
    path: Path, root: Path, splits: Sequence[Split], recipe: Recipe, workers: int, skip_broken: bool,
    tell: Callable[[int, int], None] = lambda done, size: None,
) -> tuple[Pack, list[str]]:  # fmt: skip
    """Write a pack, or what is left of one that was stopped; the file is there when it is whole.

    Args:
        path: of the pack.
        root: folder of the images.
        splits: what is packed; an image of several is there once.
        recipe: what is done with each image.
        workers: processes.
        skip_broken: leave out what cannot be read, and name it; else it ends the work, which can be gone on with.
        tell: is told how many images are done and how many bytes written.

    Returns:
        The pack, and what was left out, each in words.

    Raises:
        UserError: an image is missing or broken, all are, or an unfinished pack of other images lies there.
    """
    paths = list(dict.fromkeys(path for split in splits for path in split.paths))
    if not paths:
        raise UserError(f'there is no image to pack in {root}.')
    unfinished, journal = path.with_name(path.name + '.partial'), path.with_name(path.name + '.partial.journal')
    path.parent.mkdir(parents=True, exist_ok=True)
    key = _key(paths, recipe)
    records = begun(unfinished, journal, key)
    left_out: list[str] = []
    with ExitStack() as stack:
        data = stack.enter_context(open(unfinished, 'r+b' if unfinished.exists() else 'w+b'))
        log = stack.enter_context(open(journal, 'r+b' if journal.exists() else 'w+b'))
        end = records[-1][0] if records else BEGIN
        data.truncate(end)
        data.seek(end)
        log.truncate(len(key) + RECORD.size * len(records))
        log.seek(0)
        log.write(key)
        log.seek(0, os.SEEK_END)
        _sync(data, log)  # a killed process leaves behind what no disk has yet
        synced = end
        for made in _made(str(root), recipe, paths[len(records) :], workers):
            if isinstance(made, str):
                if not skip_broken:
                    _sync(data, log)
                    raise UserError(
                        f'{made}: replace it and run the command again, which goes on from here, or leave such images out with '
                        '--on-broken skip.'
                    )
                made = (b'', 0, 0)
            content, width, height = made
            data.write(content)
            end += len(content)
            records.append((end, digest_of(content), width, height))
            log.write(RECORD.pack(*records[-1]))
            if end - synced > SYNCED:
                _sync(data, log)
                synced = end
            tell(len(records), end)
        left_out = [path for path, record in zip(paths, records, strict=True) if not record[2]]
        _finish(data, paths, records, splits, recipe, left_out)
    os.replace(unfinished, path)
    sync_folder(path.parent)
    journal.unlink()
    return Pack(path), left_out


def _key(paths: list[str], recipe: Recipe) -> bytes:
    digest = hashlib.sha256(repr(recipe).encode())
    for path in paths:
        digest.update(path.encode('utf-8', 'surrogateescape') + b'\0')
    return digest.digest()


def _made(root: str, recipe: Recipe, paths: list[str], workers: int) -> Iterator[tuple[bytes, int, int] | str]:
    """Each image in order; a few chunks a process are under way, so that no more waits in memory."""
    chunks = [paths[start : start + CHUNK] for start in range(0, len(paths), CHUNK)]
    work = partial(_work, root, recipe)
    if workers < 2 or len(chunks) < 2:
        for chunk in chunks:
            yield from work(chunk)
        return
    with processes(workers) as pool:
        under_way, todo = [], iter(chunks)
        while True:
            while len(under_way) < 3 * workers and (chunk := next(todo, None)) is not None:
                under_way.append(pool.submit(work, chunk))
            if not under_way:
                return
            yield from under_way.pop(0).result()


@contextmanager
def processes(workers: int) -> Iterator[ProcessPoolExecutor]:
    """Processes for a tool's work; what they have not begun is dropped when it ends early.

    Raises:
        UserError: one of them was killed.
    """
    context = multiprocessing.get_context('fork' if 'fork' in multiprocessing.get_all_start_methods() else None)
    pool = ProcessPoolExecutor(workers, context, initializer=_begin_process)
    try:
        yield pool
    except BrokenProcessPool as error:
        raise UserError(
            f'one of the {workers} processes was killed, for want of memory perhaps: run it again with fewer --workers.'
        ) from error
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _begin_process() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the tool itself says that it was stopped
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    cv2.setNumThreads(0)


def _sync(*files) -> None:  # noqa: ANN002
    for file in files:  # the data first: the journal names nothing that is not there
        file.flush()
        os.fsync(file.fileno())


def _finish(data, paths: list[str], records: list, splits: Sequence[Split], recipe: Recipe, left_out: list[str]) -> None:  # noqa: ANN001
    table = np.array(records, dtype=np.uint64).reshape(-1, 4)
    kept = table[:, 2] > 0
    if not kept.any():
        raise UserError(f'none of the {len(paths):,} images can be read: {left_out[0]}, for one.')
    place_of = {path: place for place, path in enumerate(path for path, keep in zip(paths, kept, strict=True) if keep)}
    names = [path.encode('utf-8', 'surrogateescape') for path in place_of]
    parts, said = [], []
    for split in splits:
        places = np.array([place_of.get(path, -1) for path in split.paths], dtype=np.int64)
        there = places >= 0
        parts.append((places[there], np.asarray(split.labels)[there]))
        said.append(dict(name=split.name, classes=list(split.classes), images=int(there.sum())))
    meta = dict(
        side=recipe.side, quality=recipe.quality, maker=f'OpenCV {cv2.__version__}', name_bytes=sum(map(len, names)),
        splits=said,
        left_out=[brief(path, 4096) for path in left_out],
    )  # fmt: skip
    index, meta_bytes = index_of(meta, table[kept, 0], table[kept, 1], table[kept, 2:], names, parts)
    start = -(-data.tell() // 8) * 8
    data.write(bytes(start - data.tell()) + index)
    data.seek(0)
    data.write(header_of(len(names), start, index, meta_bytes))
    _sync(data)


def check_images(pack: Pack, workers: int, tell: Callable[[int], None] = lambda done: None) -> list[str]:
    """What is wrong with the JPEGs of a pack, each in words.

    Args:
        pack: it.
        workers: processes.
        tell: is told how many images were looked at.
    """
    starts = range(0, len(pack), CHUNK * 8)
    work = partial(_look, str(pack.path))
    found: list[str] = []
    with processes(workers) as pool:
        for number, said in enumerate(pool.map(work, starts)):
            found += said
            tell(min((number + 1) * CHUNK * 8, len(pack)))
    return found


@lru_cache(maxsize=1)
def _opened(path: str) -> Pack:
    return Pack(path)


def _look(path: str, start: int) -> list[str]:
    pack, found = _opened(path), []
    for place in range(start, min(start + CHUNK * 8, len(pack))):
        why = pack.problem_of(place)
        if why is None:
            content = pack.read(place)
            frame = frame_of(content)
            picture = decode(content, frame) if frame else None
            if picture is None or [picture.shape[1], picture.shape[0]] != pack.sizes[place].tolist():
                why = 'cannot be decoded'
        if why:
            found.append(f'{brief(pack.name(place), 400)} {why}')
    return found
