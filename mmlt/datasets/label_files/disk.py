"""From the paths that a file names to those on the disk: extensions it lacks, folders it has too many or too few of."""

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np

from mmlt.datasets.class_folders import EXTENSIONS
from mmlt.datasets.naming import with_slashes
from mmlt.errors import UserError, brief

SAMPLE = 64  # paths looked for before anything is made of them
DROPPED = 3  # leading folders that a path may have too many
SEVERAL = '\0'  # marks a name that more than one file has


def on_disk(paths: Sequence[str], root: Path, line: Callable[[int], str], notes: list[str]) -> Sequence[str]:
    """The paths below `root`, as far as they can be told; a file that is missing keeps the path it was named by.

    Looked for in this order, on a sample: the paths as they stand; without first folders that all of them share
    (`CheXpert-v1.0-small/...`), if most are there then;
    with the extension that a file of that name has, and, where only a name is given, in every folder below `root`.

    Args:
        paths: N, as they stand in the file.
        root: the folder.
        line: where an image is named, for messages.
        notes: what was done is added here.

    Raises:
        UserError: a path has no extension, and no file or several files could be meant; or none is there, but a folder below
            `root` has them. The line is named.
    """
    if any('\\' in path for path in paths):
        paths = [with_slashes(path, root) for path in paths]
    sample = [paths[place] for place in _sample(len(paths))]
    if any(os.path.lexists(os.path.join(root, path)) for path in sample):
        return paths
    for count in range(1, DROPPED + 1):
        prefix = sample[0].lstrip('/').split('/')[:count]
        if any(path.lstrip('/').split('/')[:count] != prefix for path in sample):
            break  # folders that differ tell images apart: without them another image may be read
        if _mostly(os.path.lexists(os.path.join(root, _without(path, count) or path)) for path in sample):
            notes.append(f'paths are read without their first {"folder" if count == 1 else "folders"} ({"/".join(prefix)}/)')
            return [_without(path, count) or path for path in paths]
    bare = all('/' not in path for path in sample)
    if not bare and any(path.lower().endswith(EXTENSIONS) for path in sample):
        if below := next((folder for folder in folders_in(root) if could_be_below(sample, folder)), None):
            raise UserError(
                f'{line(0)} names {brief(paths[0])}, which is not below {root}, but such paths are below {below}: set '
                'data_root to it.'
            )
        return paths
    return _looked_up(paths, root, line, notes)


def folders_in(root: Path) -> list[Path]:
    """The folders in a folder, sorted, hidden ones left out."""
    try:
        return sorted(entry for entry in root.iterdir() if entry.is_dir() and not entry.name.startswith('.'))
    except OSError:
        return []


def could_be_below(paths: Sequence[str], root: Path) -> bool:
    """Whether most of these paths are files below `root`, with or without an extension of theirs."""
    sample = [paths[place].replace('\\', '/') for place in _sample(len(paths))]

    def is_there(path: str) -> bool:
        return bool(path) and any(os.path.lexists(f'{root / path}{end}') for end in ('', *EXTENSIONS))

    return any(_mostly(is_there(_without(path, count)) for path in sample) for count in range(2))


def _mostly(found: Iterable[bool]) -> bool:
    found = list(found)
    return 2 * sum(found) > len(found)


def _sample(count: int) -> list[int]:
    return np.unique(np.linspace(0, count - 1, min(count, SAMPLE)).astype(int)).tolist()


def _without(path: str, count: int) -> str:
    parts = path.lstrip('/').split('/', count)
    return parts[count] if len(parts) > count else ''


def _looked_up(paths: Sequence[str], root: Path, line: Callable[[int], str], notes: list[str]) -> Sequence[str]:
    files = _files_below(root)
    found, lacking = [], False
    for place, path in enumerate(paths):
        path = path.removeprefix('./')
        file = files.get(path)
        extension = path.lower().endswith(EXTENSIONS)
        if file == SEVERAL:
            raise UserError(
                f'{line(place)} names {brief(path)!r}, and several files below {root} are called so: give their paths.'
            )
        if file is None and not extension:
            raise UserError(
                f'{line(place)} names {brief(path)!r}, and there is no image of that name below {root} (with the extension '
                f'{", ".join(EXTENSIONS)}): correct data_root, or the column of the images.'
            )
        lacking |= not extension
        found.append(path if file is None else file)
    if lacking:
        notes.append('images are named without extension, which was found on the disk')
    elif found != list(paths):
        notes.append('images are named without their folder, which was found on the disk')
    return found


def _files_below(root: Path) -> dict[str, str]:
    """Every image below `root` by its path and by its name, each with and without extension; `SEVERAL` where two share one."""
    files: dict[str, str] = {}
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith('.'))
        below = os.path.relpath(folder, root).replace(os.sep, '/')
        for name in names:
            if name.startswith('.') or not name.lower().endswith(EXTENSIONS):
                continue
            path = name if below == '.' else f'{below}/{name}'
            for key in {path, path.rpartition('.')[0], name, name.rpartition('.')[0]}:
                files[key] = path if files.get(key, path) == path else SEVERAL
    return files
