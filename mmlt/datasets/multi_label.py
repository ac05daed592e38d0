"""Data sets of images with several labels: from a list or a CSV file, and from arrays."""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mmlt.datasets.image_list import find_list
from mmlt.datasets.labels import check_multi_hot
from mmlt.datasets.naming import check_names, class_names, existing_folder, own_path, with_slashes
from mmlt.datasets.resident import ResidentDataset
from mmlt.datasets.streaming import StreamingDataset
from mmlt.errors import UserError, brief
from mmlt.registry import DATASETS


@DATASETS.register_module()
class MultiLabelDataset(StreamingDataset):
    """Images with any number of labels, named by a CSV file or a list, in its order.

    A `.csv` has a header and a line an image: its path in the first column (or in the one called `image_column`), and for each
    class a column with 1 (shown) or 0 (not). Any other file has lines `path label,label`, the labels numbers from 0 or names;
    `path -` is an image that shows nothing; empty lines are skipped.

    Args:
        data_root: folder that the paths start from.
        ann_file: the file; a relative path is looked for as it stands, then in `data_root`.
        classes: names of the classes, or the path of a file with a name a line. None: of a CSV file all columns but the
            image's; of a list the numbers up to the highest.
        image_column: header of a CSV file's column with the paths; None for the first.
        image_size, resize, crop, crop_seed, check, on_broken, max_value: see `StreamingDataset`.
        name: of the data set; None for the name of the file.

    Attributes:
        labels: (N, K) float32, 1 for each class that an image shows.

    Raises:
        UserError: no such folder or file, a line or a column that is something else, a class that is not there.
    """

    def __init__(
        self,
        data_root: str | Path,
        ann_file: str | Path,
        classes: Sequence[str] | str | None = None,
        image_column: str | None = None,
        image_size: int = 224,
        resize: int | None = None,
        crop: str = 'center',
        crop_seed: int = 0,
        name: str | None = None,
        check: str = 'files',
        on_broken: str = 'stop',
        max_value: float | None = None,
    ) -> None:
        root = existing_folder(data_root, str(ann_file))
        names = None if classes is None else class_names(classes, root)
        self.ann_file = find_list(root, own_path(ann_file, 'ann_file'))
        if self.ann_file.suffix.lower() == '.csv':
            paths, labels, names, self._lines = _read_csv(self.ann_file, names, image_column)
        elif image_column is not None:
            raise UserError(f'image_column names a column of a .csv file, and {self.ann_file} is none: leave it out.')
        else:
            paths, labels, names, self._lines = _read_list(self.ann_file, names)
        paths = [with_slashes(path, root) for path in paths]
        super().__init__(self.ann_file.name.partition('.')[0] if name is None else name, root, paths, labels, tuple(names),
                         image_size, resize, crop, crop_seed, check, on_broken, max_value)  # fmt: skip

    def where(self, place: int) -> str:
        """The line that names the image."""
        return f' (line {self._lines[self.places[place]]} of {self.ann_file})'


@DATASETS.register_module()
class MultiLabelArrays(ResidentDataset):
    """Images and their labels in one .npz file: `images` uint8 (N, H, W, 3) and `labels` (N, K) of 0 and 1.

    Args:
        path: the file.
        classes: K names, or the path of a file with a name a line; None for numbers.
        name: of the data set; None for the name of the file.

    Raises:
        UserError: the file is damaged, lacks an array, or holds one of the wrong kind.
    """

    def __init__(self, path: str | Path, classes: Sequence[str] | str | None = None, name: str | None = None) -> None:
        file = own_path(path, 'path')
        if not file.is_file():
            raise UserError(f'there is no file {file} with the arrays images and labels: correct path.')
        try:
            with np.load(file, allow_pickle=False) as arrays:
                images, labels = arrays['images'], arrays['labels']
        except Exception as error:  # a damaged archive fails in many ways
            raise UserError(f'{file} cannot be read as arrays images and labels ({error}): make it again.') from error
        names = None if classes is None else class_names(classes, file.parent)
        if labels.ndim == 2 and names is None:
            names = list(map(str, range(labels.shape[1])))
        self.labels = check_multi_hot(labels, len(names or ()), file)
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] != 3 or len(images) != len(labels):
            raise UserError(
                f'images in {file} must be uint8 of the shape ({len(labels)}, H, W, 3), not {images.dtype} {images.shape}.'
            )
        self.classes, self.name, self._images = tuple(names), file.stem if name is None else name, images
        check_names(self.classes, self.name)

    @property
    def images(self) -> np.ndarray:
        """(N, H, W, 3) uint8."""
        return self._images


def _read_csv(
    file: Path, classes: list[str] | None, image_column: str | None
) -> tuple[list[str], np.ndarray, list[str], np.ndarray]:
    """Paths, labels (N, K), names of the classes, and the line of each image."""
    try:
        with open(file, encoding='utf-8-sig', newline='') as stream:
            reader = csv.reader(stream, strict=True)
            rows = [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except (OSError, ValueError, csv.Error) as error:
        raise UserError(f'{file} cannot be read as a CSV file ({error}): save it as UTF-8 text with commas.') from error
    if len(rows) < 2:
        raise UserError(f'{file} names no image: it must have a header and a line an image.')
    header = [cell.strip() for cell in rows[0][1]]
    wanted = [header[0] if image_column is None else image_column, *(classes or ())]
    if absent := [name for name in wanted if name not in header]:
        raise UserError(
            f'{file} has no column {brief(absent[0])!r}; its columns are {", ".join(map(brief, header[:8]))}'
            f'{", ..." if len(header) > 8 else ""}: correct {"image_column" if absent[0] == image_column else "classes"}.'
        )
    image = header.index(wanted[0])
    names = classes or [name for place, name in enumerate(header) if place != image]
    check_names(names, f'the header of {file}')
    columns = [header.index(name) for name in names]
    paths, labels = [], np.zeros((len(rows) - 1, len(names)), dtype=np.float32)
    for place, (line, row) in enumerate(rows[1:]):
        if len(row) != len(header):
            raise UserError(f'line {line} of {file} has {len(row)} cells, and the header {len(header)}: correct it.')
        paths.append(row[image].strip())
        for label, column in enumerate(columns):
            cell = row[column].strip()
            if cell not in ('0', '1', '0.0', '1.0'):
                raise UserError(
                    f'line {line} of {file} has {brief(cell)!r} for {brief(names[label])!r}, where 1 (shown) or 0 (not) must '
                    'stand: decide what an uncertain or missing label is, or name the columns of the classes in `classes`.'
                )
            labels[place, label] = float(cell)
    return paths, labels, names, np.array([line for line, _ in rows[1:]])


def _read_list(file: Path, classes: list[str] | None) -> tuple[list[str], np.ndarray, list[str], np.ndarray]:
    """See `_read_csv`."""
    try:
        text = file.read_text(encoding='utf-8-sig', errors='surrogateescape')
    except OSError as error:
        raise UserError(f'the annotation list {file} cannot be read ({error}).') from error
    known = {name: place for place, name in enumerate(classes or ())}
    paths, shown, lines = [], [], []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        path, _, last = line.strip().rpartition(' ')
        if not path:
            raise UserError(f'line {number} of {file} is not a path and labels (`a.jpg 0,3`): {brief(line.strip())!r}.')
        paths.append(path.strip())
        shown.append([] if last == '-' else [_number(label, known, f'line {number} of {file}') for label in last.split(',')])
        lines.append(number)
    if not paths:
        raise UserError(f'the annotation list {file} names no image.')
    names = classes or list(map(str, range(max((label for own in shown for label in own), default=-1) + 1)))
    labels = np.zeros((len(paths), len(names)), dtype=np.float32)
    for place, own in enumerate(shown):
        labels[place, own] = 1
    return paths, labels, names, np.array(lines)


def _number(label: str, known: dict[str, int], where: str) -> int:
    if label in known:
        return known[label]
    if not (label.isascii() and label.isdecimal()) or len(label) > 7 or (known and int(label) >= len(known)):
        there = f'the {len(known)} classes' if known else 'numbers from 0'
        raise UserError(f'{where} has the label {brief(label)!r}, which is none of {there}: correct it, or `classes`.')
    return int(label)
