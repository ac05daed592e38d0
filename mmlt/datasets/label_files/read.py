"""One entry for labels in every form: `read_labels`."""

import gc
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from mmlt.datasets.class_folders import ClassFolders
from mmlt.datasets.label_files.columns import plain_name
from mmlt.datasets.label_files.disk import could_be_below, folders_in, on_disk
from mmlt.datasets.label_files.folders import class_names_below, exported, split_folders
from mmlt.datasets.label_files.json_files import read_json_labels
from mmlt.datasets.label_files.lines import LONGEST, read_lines
from mmlt.datasets.label_files.meaning import UNLABELLED, labels_of
from mmlt.datasets.label_files.options import Options
from mmlt.datasets.label_files.raw import Raw
from mmlt.datasets.label_files.repeats import once
from mmlt.datasets.label_files.sheet import delimiter_of, read_sheet
from mmlt.datasets.label_files.table import LabelTable
from mmlt.datasets.label_files.tables import read_table
from mmlt.datasets.label_files.text import bare_suffix, read_text
from mmlt.datasets.naming import check_names, class_names, own_path
from mmlt.datasets.paths import Paths
from mmlt.errors import UserError, brief

# CheXpert and MURA tell patients apart by a folder: .../patient00001/study1/view1.jpg
PATIENT = re.compile(r'(?:^|[/\\])(patient[ _-]?\d+)[/\\]', re.IGNORECASE)
TABLES, JSON = ('.csv', '.tsv'), ('.json', '.jsonl')
HEADS = ('path', 'filepath', 'file', 'filename', 'image', 'imageid', 'imagename', 'imagepath', 'img')


def read_labels(
    source: str | Path,
    root: str | Path | None = None,
    *,
    classes: Sequence[str] | str | Path | None = None,
    num_classes: int | None = None,
    labels: str | Sequence[int] | None = None,
    several: bool | None = None,
    split: str | None = None,
    image_column: str | None = None,
    label_column: str | None = None,
    split_column: str | None = None,
    group_column: str | None = None,
    separator: str | None = None,
    uncertain: str | None = None,
    blank: str | None = None,
) -> LabelTable:
    """Read images and their labels from a list, a table, a JSON file or a folder; its form is found by its content.

    An image that is named on several lines is one image, see `once`.

    Args:
        source: the file (`.txt`, `.csv`, `.tsv`, `.json`, `.jsonl`; packed by xz or gzip or not), or the folder: of class
            folders, with or without `train`, `val` and `test` above them, or one that Roboflow made.
        root: folder that the paths in the file start from; None for the file's own, or one beside or above it that has them.
        classes: names of the classes, or the path of a file with a name a line; None for those of the file. Of a table with a
            column a class, the columns to take.
        num_classes: how many, where they have no names.
        labels: what numbers mean, see `ImageList`.
        several: whether an image may have any number of labels; None for what the file shows.
        split: `train`, `val`, `test` or what the file calls it: the images to keep; None or `all` for all of them.
        image_column, label_column, split_column, group_column: headers of a table's columns; None to find them. `group_column`
            says which images belong together and must never be split up.
        separator: between the labels of one image in a list or a column; None for what is there of `|`, `;` and `,`.
        uncertain, blank: what -1 and an empty cell are in a column of a class: `zeros`, `ones`, or `leave_out` (the image);
            None to refuse them.

    Raises:
        UserError: no such file, or something in it that is not understood; its line is named.
    """
    file = own_path(source, 'the file or folder with the labels')
    home = None if root is None else own_path(root, 'data_root')
    named = None if classes is None else class_names(classes, home or (file if file.is_dir() else file.parent))
    options = Options(named, num_classes, labels, several, image_column, label_column, split_column, group_column, separator,
                      uncertain, blank)  # fmt: skip
    if file.is_dir():
        table = _of_folder(file, options)
        return table if split is None else table.of_split(split)
    if not file.is_file():
        raise UserError(f'there is no file or folder {file} with labels: correct the path.')
    with _uncollected():
        table, denies = _of_file(file, home, options)
    table = table if split is None else table.of_split(split)
    if not table.several and (table.labels == UNLABELLED).any():
        place = int(np.flatnonzero(table.labels == UNLABELLED)[0])
        raise UserError(
            f'{brief(table.paths[place])}{table.where(place)} has no label: give it one, leave the line out, or read one split.'
        )
    return once(table, several, split is None, denies)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without Python's search for circles, which takes half the time of a long file: it looks at every row again and again."""
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if before:
            gc.enable()


def _of_file(file: Path, home: Path | None, options: Options) -> tuple[LabelTable, bool]:
    """What a file says, line by line, and whether its lines say of each class that it is shown or not."""
    raw = _raw(file, home or file.parent, options)
    for key in ('uncertain', 'blank'):
        if (rule := getattr(options, key)) and not raw.denies:
            raise UserError(f'{key}={rule!r} is for files with a 0 or a 1 for each class, and {file} is {raw.form}: leave it '
                            'out.')  # fmt: skip
    labels, names = labels_of(raw, options)
    check_names(names, str(file))
    if raw.groups is None and raw.paths and PATIENT.search(raw.paths[0]):
        found = map(PATIENT.search, raw.paths)
        raw.groups, raw.group_name = [patient[1] if patient else '' for patient in found], 'patient'
        raw.notes.append('images below one patient folder belong together')
    groups = None if raw.groups is None else _numbered(raw.groups, raw.paths)
    if home is None:
        home = _home_of(file, raw.paths)
    notes = list(raw.notes)
    paths = on_disk(raw.paths, home, raw.line, notes)
    table = LabelTable(
        file, home, Paths(paths), labels, tuple(names), raw.form, None if raw.splits is None else np.array(raw.splits), groups,
        raw.group_name, raw.numbers, raw.line_word, tuple(notes), raw.left_out,
    )  # fmt: skip
    return table, raw.denies


def _numbered(groups: Sequence[str], paths: Sequence[str]) -> np.ndarray:
    """A number for each group, in the order that they appear; an image without one is by itself."""
    number_of: dict[object, int] = {}
    keys = (group or (path,) for group, path in zip(groups, paths, strict=True))
    return np.fromiter((number_of.setdefault(key, len(number_of)) for key in keys), dtype=np.int64, count=len(groups))


def _raw(file: Path, root: Path, options: Options) -> Raw:
    text = read_text(file)
    kind, head = bare_suffix(file), text[:LONGEST].lstrip()
    if kind in JSON or head.startswith(('{', '[')):
        if options.columns and kind != '.jsonl' and not head.startswith('['):
            raise UserError(f'{next(iter(options.columns))} names a column of a table, and {file} is JSON: leave it out.')
        return read_json_labels(file, text, options)
    first = next((line for line in head.split('\n') if line.strip()), '')
    if kind in TABLES or (not head.startswith('<') and _is_header(first)):
        return read_table(read_sheet(file, text), options)
    if options.columns:
        raise UserError(
            f'{next(iter(options.columns))} names a column of a .csv file, and {file} is none: leave it out, or give the file '
            'a header.'
        )
    return read_lines(file, text, root, options)


def _is_header(line: str) -> bool:
    """Whether the first line of a list is the header of a table: cells that are words, one of them for the images."""
    delimiter = delimiter_of(line)
    cells = line.split(delimiter) if delimiter else []
    return len(cells) > 1 and plain_name(cells[0]) in HEADS


def _home_of(file: Path, paths: Sequence[str]) -> Path:
    """The folder that the paths start from: the file's own, one in it, or the one above, the first that has them."""
    own = file.parent
    return next((folder for folder in (own, *folders_in(own), own.parent) if could_be_below(paths, folder)), own)


def _of_folder(root: Path, options: Options) -> LabelTable:
    if options.columns:
        raise UserError(f'{next(iter(options.columns))} names a column of a table, and {root} is a folder: leave it out.')
    folders = split_folders(root)
    if exported(root):
        folders = {}
    if folders and all(exported(folder) for folder in folders.values()):
        parts = {split: _of_export(folder, options) for split, folder in folders.items()}
        return _joined(root, folders, parts, options)
    if exported(root):
        return _of_export(root, options)
    if not folders:
        return class_folders_table(root, options.classes)
    names = options.classes or class_names_below(folders)
    return _joined(root, folders, {split: class_folders_table(folder, names) for split, folder in folders.items()}, options)


def _of_export(folder: Path, options: Options) -> LabelTable:
    return read_labels(exported(folder), folder, classes=options.classes, several=options.several,
                       uncertain=options.uncertain, blank=options.blank)  # fmt: skip


def _joined(root: Path, folders: dict[str, Path], parts: dict[str, LabelTable], options: Options) -> LabelTable:
    """The tables of the splits as one, its paths below the folder that holds theirs."""
    classes = {table.classes for table in parts.values()}
    if len(classes) > 1:
        raise UserError(f'the splits in {root} have other classes each, or another order of them: give them in `classes`.')
    if len({table.several for table in parts.values()}) > 1:  # one split happens to have one label an image
        several = Options(options.classes, several=True, uncertain=options.uncertain, blank=options.blank)
        return _joined(root, folders, {split: _of_export(folders[split], several) for split in parts}, several)
    tables = list(parts.values())
    return LabelTable(
        root, root,
        Paths(f'{folders[split].name}/{path}' for split, table in parts.items() for path in table.paths),
        np.concatenate([table.labels for table in tables]), tables[0].classes,
        f'{tables[0].form} in folders of splits', np.repeat(list(parts), [len(table) for table in tables]),
        notes=tuple(dict.fromkeys(note for table in tables for note in table.notes)),
        left_out=dict(sum((Counter(table.left_out) for table in tables), Counter())),
        other_kinds=dict(sum((Counter(table.other_kinds) for table in tables), Counter())),
    )  # fmt: skip


def class_folders_table(folder: Path, classes: list[str] | None = None) -> LabelTable:
    """The images of class folders.

    Args:
        folder: with a folder a class.
        classes: see `ClassFolders.labelled`.

    Raises:
        UserError: see `ClassFolders`.
    """
    found = ClassFolders(folder)
    paths, labels, names = found.labelled(classes)
    return LabelTable(folder, folder, Paths(paths), labels, tuple(names), 'class folders', left_out=dict(found.skipped),
                      other_kinds=dict(found.other_kinds))  # fmt: skip
