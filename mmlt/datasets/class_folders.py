"""Folders of images: which of them are classes, the images in one, and what folders say of a list's labels."""

import os
import stat
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from mmlt.datasets.naming import check_utf8
from mmlt.errors import UserError, brief

EXTENSIONS = ('.bmp', '.jfif', '.jpeg', '.jpg', '.pgm', '.png', '.ppm', '.tif', '.tiff', '.webp')
LOOPS, PIPES = 'links to folders that lead back', 'pipes, sockets and devices'
LISTED = 5  # extensions that a line names
TWICE, OTHERS, NOTHING = 'files found by another name already', 'files of other kinds', 'links to nothing'


class ClassFolders:
    """The class folders below `root` and the images in them, each real file once in a class.

    Links to files and folders are followed. One to a folder that contains what is being searched, or that is or lies
    in the folder of another class, leads back and is not walked. Hidden files and folders are passed over.

    Args:
        root: folder with a folder a class.

    Attributes:
        names: of the class folders, sorted.
        skipped: what was found and is no image of a class, how often.
        other_kinds: of the files of other kinds, how many have which extension.

    Raises:
        UserError: there is no class folder, one is another's or lies in it, one is not UTF-8, one cannot be read.
    """

    def __init__(self, root: Path) -> None:
        self.root, self.skipped, self.other_kinds = root, Counter(), Counter()
        self._home = os.path.realpath(root)
        self.names = []
        for entry in _entries(root):
            kind = _kind(entry)
            if kind is None and entry.is_symlink() and not is_image(entry.name):
                raise UserError(f'{_shown(entry)} is a link to nothing: restore its target, or remove the link.')
            if kind is not stat.S_IFDIR:
                self._skip(entry, kind)
            elif entry.is_symlink() and _within(self._home, os.path.realpath(entry.path)):
                self.skipped[LOOPS] += 1
            else:
                check_utf8(entry.name, f'a class folder in {brief(str(root), 4096)}')
                self.names.append(entry.name)
        if not self.names:
            raise UserError(f'{root} has no class folder: it must have a folder a class with the images in it.')
        self._real = {name: os.path.realpath(root / name) for name in self.names}
        self._refuse_shared()

    def _refuse_shared(self) -> None:
        name_of: dict[str, str] = {}
        for name, real in self._real.items():
            if (other := name_of.setdefault(real, name)) != name:
                raise UserError(
                    f'the class folders {other} and {name} in {self.root} are one folder by a link, and an image has one '
                    'class: remove one of them.'
                )
        for name, real in self._real.items():
            outer = next((name_of[str(above)] for above in Path(real).parents if str(above) in name_of), None)
            if outer:
                raise UserError(
                    f'the class folder {self.root / name} is a link into the class folder {outer}, and an image has one '
                    'class: remove one of them.'
                )

    def _skip(self, entry: os.DirEntry, kind: int | None) -> None:
        self.skipped[NOTHING if kind is None else OTHERS if kind is stat.S_IFREG else PIPES] += 1
        if kind is stat.S_IFREG:
            self.other_kinds[extension_of(entry.name)] += 1

    def images(self, name: str) -> list[str]:
        """Paths below `root` of the images in a class folder, also those in deeper folders, sorted.

        A link to nothing that is called as an image is among them: it is missed when the files are looked for.
        """
        found: list[tuple[bool, str, tuple[int, int] | None]] = []  # by way of a link, path, the real file
        seen: set[str] = set()
        walked = [self._real[name]]  # real folders that a walk began from
        links = self._walk(name, False, seen, found)
        while links:
            link = links.pop(0)
            target = os.path.realpath(self.root / link)
            others = [real for other, real in self._real.items() if other != name]
            if target in seen or any(_within(real, target) for real in (self._home, *walked, *others)) or any(
                _within(target, real) for real in others
            ):
                self.skipped[LOOPS] += 1
                continue
            walked.append(target)
            links += self._walk(link, True, seen, found)
        paths, files = [], set()
        for _, path, file in sorted(found, key=lambda one: one[:2]):
            if file in files:
                self.skipped[TWICE] += 1
                continue
            if file is not None:
                files.add(file)
            paths.append(path)
        return sorted(paths)

    def labelled(self, classes: Sequence[str] | None = None) -> tuple[list[str], np.ndarray, list[str]]:
        """All images, class by class.

        Args:
            classes: names of the folders that are classes 0, 1, ...; one that is not there has no image. None for those that
                are there.

        Returns:
            N paths below `root`, (N,) int64, and the names of the classes.

        Raises:
            UserError: a folder that is none of `classes`, or holds no image.
        """
        classes = list(self.names if classes is None else classes)
        if strange := sorted(set(self.names) - set(classes)):
            raise UserError(
                f'{self.root} has the folder {brief(strange[0])}, which is none of `classes`: add it there, or remove it.'
            )
        there, paths, counts = set(self.names), [], []
        for folder in classes:
            found = self.images(folder) if folder in there else []
            if folder in there and not found:
                raise UserError(f'class folder {self.root / folder} holds no image ({", ".join(EXTENSIONS)}): remove it.')
            paths += found
            counts.append(len(found))
        return paths, np.repeat(np.arange(len(classes)), counts), classes

    def _walk(self, start: str, linked: bool, seen: set[str], found: list) -> list[str]:
        """Take in the images below a folder; gives the links to folders that were met, sorted."""
        links, folders = [], [start]
        while folders:
            folder = folders.pop()
            real = os.path.realpath(self.root / folder)
            if real in seen:
                continue
            seen.add(real)
            for entry in _entries(self.root / folder):
                path, kind = f'{folder}/{entry.name}', _kind(entry)
                if kind is stat.S_IFDIR:
                    (links if entry.is_symlink() else folders).append(path)
                elif is_image(entry.name) and kind is None:
                    found.append((linked or entry.is_symlink(), path, None))
                elif is_image(entry.name) and kind is stat.S_IFREG:
                    seen_as = entry.stat()
                    real_file = (seen_as.st_dev, seen_as.st_ino) if seen_as.st_ino else None
                    found.append((linked or entry.is_symlink(), path, real_file))
                else:
                    self._skip(entry, kind)
        return sorted(links)


def extension_of(name: str) -> str:
    """What the name of a file ends in, in lower case, from the last dot on; empty where it has none."""
    return os.path.splitext(name)[1].lower()


def others_told(kinds: Mapping[str, int]) -> str:
    """Files of other kinds in words: `60 files of other kinds (58 .heic, 2 without extension)`.

    Args:
        kinds: how many files have which extension.
    """
    most = sorted(kinds.items(), key=lambda one: (-one[1], one[0]))
    told = ', '.join(f'{count:,} {brief(kind, 20) or "without extension"}' for kind, count in most[:LISTED])
    count, more = sum(kinds.values()), ', ...' if len(most) > LISTED else ''
    return f'{count:,} {"file of another kind" if count == 1 else OTHERS} ({told}{more})'


def _entries(folder: str | Path) -> list[os.DirEntry]:
    """What stands in a folder, sorted, hidden things left out."""
    try:
        with os.scandir(folder) as entries:
            return sorted((entry for entry in entries if not entry.name.startswith('.')), key=lambda entry: entry.name)
    except OSError as error:
        raise UserError(f'the folder {brief(str(folder), 4096)} cannot be read ({error.strerror}).') from error


def _kind(entry: os.DirEntry) -> int | None:
    """S_IFDIR, S_IFREG, or 0 for anything else, links followed; None for a link to nothing."""
    try:
        if entry.is_dir():
            return stat.S_IFDIR
        if entry.is_file():
            return stat.S_IFREG
        entry.stat()
    except OSError:
        return None
    return 0


def is_image(name: str) -> bool:
    """Whether a name ends as that of an image file."""
    return name.lower().endswith(EXTENSIONS)


def _within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip('/') + '/')


def _shown(entry: os.DirEntry) -> str:
    return brief(entry.path, 4096)


def folder_of_each_class(paths: Sequence[str], labels: np.ndarray, num_classes: int) -> list[str | None]:
    """What the paths of a list tell of its labels: a folder's name for each class, where each has one of its own.

    The folder looked at is the images' own, the one above it, the first or second of the path, or all but the first.

    Args:
        paths: N paths with `/`.
        labels: (N,) int64 in [0, C).
        num_classes: C.

    Returns:
        C names; all None where some class has no folder of its own or only one class has images, None for a class without
        an image.
    """
    names: list[str | None] = [None] * num_classes
    if len(np.unique(labels)) < 2:
        return names
    levels: tuple[Callable[[list[str]], str], ...] = (
        lambda parts: parts[-2], lambda parts: parts[-3], lambda parts: parts[0], lambda parts: parts[1],
        lambda parts: '/'.join(parts[1:-1]),
    )  # fmt: skip
    for level in levels:
        told = _told(paths, labels, level)
        if told:
            return [told.get(label) for label in range(num_classes)]
    return names


def _told(paths: Sequence[str], labels: np.ndarray, level: Callable[[list[str]], str]) -> dict[int, str] | None:
    name_of: dict[int, str] = {}
    label_of: dict[str, int] = {}
    for path, label in zip(paths, labels.tolist(), strict=True):
        parts = path.split('/')
        try:
            name = level(parts)
        except IndexError:
            return None
        if name in (parts[-1], '') or name_of.setdefault(label, name) != name or label_of.setdefault(name, label) != label:
            return None
    return name_of
