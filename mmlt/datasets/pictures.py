"""Pictures without labels: found below folders and in lists, read one by one."""

import csv
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image
from torch import Tensor

from mmlt.datasets.class_folders import EXTENSIONS, extension_of, is_image, others_told
from mmlt.datasets.decode import content_of, read_content, rgb_of
from mmlt.datasets.label_files import read_labels
from mmlt.datasets.views import View
from mmlt.errors import UserError, brief, reason

LISTS, TABLES = ('.txt', '.lst', '.list'), ('.csv', '.tsv', '.json', '.jsonl')


class Seen(NamedTuple):
    """A picture as a model sees it, or why it cannot be seen.

    Attributes:
        name: its path, or `picture 3` for one that is no file.
        image: uint8 (3, H, W); None for one that cannot be read.
        problem: in words; None for one that can.
    """

    name: str
    image: Tensor | None
    problem: str | None = None


def find_pictures(paths: Iterable[str | Path], others: Counter[str] | None = None) -> list[str]:
    """The files that paths name: a file itself, the images below a folder sorted by path, the files in a list.

    Hidden files and folders are skipped, a folder that a link leads back to is entered once. A list (`.txt`) has a path a line;
    a relative one is looked for beside the list, then as it stands; what is not there is kept, and told when it is read. A list
    or a table (`.csv`, `.tsv`, `.json`) with labels is read as `read_labels` reads it, and its labels are left alone; of a
    table without labels the first column counts.

    Args:
        paths: files, folders, lists.
        others: files below folders that are no images are counted here by their extension.

    Raises:
        UserError: a path that is not there, a folder without images, an empty list, nothing at all.
    """
    found: list[str] = []
    for path in map(str, paths):
        path = os.path.expanduser(path)
        if os.path.isdir(path):
            kinds: Counter[str] = Counter()
            below = list(_below(path, kinds))
            if not below:
                holds = f', but {others_told(kinds)}: convert them, or' if kinds else ':'
                raise UserError(f'there is no image ({", ".join(EXTENSIONS)}) below the folder {path}{holds} name another one.')
            if others is not None:
                others.update(kinds)
            found += below
        elif not os.path.lexists(path):
            raise UserError(f'there is no file or folder {brief(path, 4096)}: correct the path.')
        elif path.lower().endswith(LISTS):
            found += _listed(Path(path))
        elif path.lower().endswith(TABLES):
            found += _tabled(Path(path))
        else:
            found.append(path)
    if not found:
        raise UserError('no picture is named: give files, folders or lists.')
    return found


def _below(folder: str, others: Counter[str]) -> Iterator[str]:
    entered: set[str] = set()
    for where, folders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(where)
        if real in entered:
            folders.clear()
            continue
        entered.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith('.'))
        for name in sorted(files):
            if is_image(name) and not name.startswith('.'):
                yield os.path.join(where, name)
            elif not name.startswith('.'):
                others[extension_of(name)] += 1


def _listed(file: Path) -> list[str]:
    try:
        lines = file.read_text(encoding='utf-8-sig', errors='surrogateescape').splitlines()
    except OSError as error:
        raise UserError(f'the list {file} cannot be read ({error.strerror}): make it readable.') from error
    named = [line.strip() for line in lines if line.strip()]
    if not named:
        raise UserError(f'the list {file} names no picture: write a path a line.')
    beside = [os.path.join(file.parent, name) for name in named]
    found = [place if os.path.lexists(place) else name for name, place in zip(named, beside, strict=True)]
    if not any(map(os.path.lexists, found)) and any(' ' in name or '\t' in name for name in named):
        with suppress(UserError):  # labels stand behind the paths
            return _labelled(file)
    return found


def _labelled(file: Path) -> list[str]:
    table = read_labels(file)
    return [os.path.join(table.root, path) for path in table.paths]


def _tabled(file: Path) -> list[str]:
    try:
        return _labelled(file)
    except UserError:
        if file.suffix.lower() not in ('.csv', '.tsv'):
            raise
    try:
        with open(file, encoding='utf-8-sig', errors='surrogateescape', newline='') as stream:
            rows = csv.reader(stream, delimiter='\t' if file.suffix.lower() == '.tsv' else ',')
            cells = [row[0].strip() for row in rows if row]
    except (OSError, csv.Error) as error:
        raise UserError(f'the table {file} cannot be read ({reason(error)}): save it as UTF-8 text with commas.') from error
    named = [cell for cell in cells[not any(map(is_image, cells[:1])) :] if cell]  # without the header, if any
    if not named:
        raise UserError(f'the table {file} names no picture: it must have a header and a path a line.')
    beside = [os.path.join(file.parent, name) for name in named]
    return [place if os.path.lexists(place) else name for name, place in zip(named, beside, strict=True)]


def see(picture: Any, place: int, view: View) -> Seen:
    """One picture as a model sees it; whatever is wrong with it is told, not raised.

    Args:
        picture: a path, a PIL picture, or an array or tensor of pixels, uint8 (H, W), (H, W, 3) or, of a tensor, (3, H, W).
        place: of the picture among all, for its name.
        view: how images are cut from pictures.
    """
    name = str(picture) if isinstance(picture, (str, Path)) else f'picture {place}'
    try:
        return Seen(name, view(_content(picture, name, view), name))
    except FileNotFoundError:
        return Seen(name, None, 'is missing')
    except UserError as error:
        return Seen(name, None, str(error).removeprefix(f'{name} ').removesuffix('.').removesuffix(': replace it'))


def _content(picture: Any, name: str, view: View) -> bytes | Image.Image:
    if isinstance(picture, (str, Path)):
        if os.path.isdir(picture):
            raise UserError(f'{name} is a folder.')
        return read_content(picture, name)
    if isinstance(picture, Image.Image):
        return content_of(picture) or rgb_of(picture, name, view.max_value)
    pixels = picture.permute(1, 2, 0).cpu().numpy() if isinstance(picture, Tensor) and picture.dim() == 3 else picture
    pixels = np.asarray(pixels)
    if pixels.dtype != np.uint8 or pixels.ndim not in (2, 3) or (pixels.ndim == 3 and pixels.shape[2] != 3):
        raise UserError(f'{name} has pixels {pixels.dtype} {pixels.shape}, not uint8 (H, W, 3): scale them to 0 to 255.')
    return Image.fromarray(pixels).convert('RGB')


def batches_of(pictures: Sequence[Any], view: View, batch_size: int, threads: int = 4) -> Iterator[list[Seen]]:
    """The pictures in their order, `batch_size` at a time; those of the next batch are read while one is looked at.

    No more than two batches are in memory.

    Args:
        pictures: see `see`.
        view: how images are cut from them.
        batch_size: pictures in a batch.
        threads: that read; decoding leaves Python's lock alone.
    """
    with ThreadPoolExecutor(threads) as pool:

        def begin(start: int) -> list[Future]:
            places = range(start, min(start + batch_size, len(pictures)))
            return [pool.submit(see, pictures[place], place, view) for place in places]

        coming = begin(0)
        for start in range(0, len(pictures), batch_size):
            here, coming = coming, begin(start + batch_size)
            yield [one.result() for one in here]

