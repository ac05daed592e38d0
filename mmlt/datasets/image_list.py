"""A data set given by a text file of lines `path label` (ImageNet-LT, Places-LT, iNaturalist)."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mmlt.arguments import number
from mmlt.datasets.label_lines import LabelLines, read_lines
from mmlt.datasets.naming import class_names, existing_folder, own_path
from mmlt.datasets.streaming import StreamingDataset
from mmlt.errors import UserError, brief
from mmlt.registry import DATASETS

MOST_CLASSES = 10_000_000
FEW = 10_000  # so many classes a short list may have without naming an image of each


@DATASETS.register_module()
class ImageList(StreamingDataset):
    """Images named by an annotation list, in its order; empty lines are skipped.

    Args:
        data_root: folder that the paths in the list start from.
        ann_file: the list, `.txt` or `.txt.xz`; a relative path is looked for as it stands, then in `data_root`.
        classes: names of the classes, or the path of a file with a name a line.
        num_classes: how many, where they have no names; None for the highest label + 1.
        image_size: height and width of the images given out, in pixels.
        resize: see `StreamingDataset`.
        crop: `center` or `random_resized`, see `StreamingDataset`.
        crop_seed: of the random piece.
        name: of the data set; None for the name of the list.
        labels: what the list's numbers mean. None: class 0, 1, ...; `remap`: the numbers that the list has, in their
            order, are classes 0, 1, ... (labels that count from 1, or have gaps); a list of numbers: class k is what the
            file calls `labels[k]`, for a list that lacks some of them. Without `classes` the numbers are then the names.
        check: `files` or `pixels`, see `StreamingDataset`.
        on_broken: `stop` or `skip`, see `StreamingDataset`.
        max_value: see `StreamingDataset`.

    Raises:
        UserError: no such folder or list, a line that is not `path label`, a label outside the classes, names that
            contradict the folders in the paths.
    """

    def __init__(
        self,
        data_root: str | Path,
        ann_file: str | Path,
        classes: Sequence[str] | str | None = None,
        num_classes: int | None = None,
        image_size: int = 224,
        resize: int | None = None,
        crop: str = 'center',
        crop_seed: int = 0,
        name: str | None = None,
        labels: str | Sequence[int] | None = None,
        check: str = 'files',
        on_broken: str = 'stop',
        max_value: float | None = None,
    ) -> None:
        root = existing_folder(data_root, str(ann_file))
        if num_classes is not None:
            number(self, 'num_classes', num_classes, least=1, most=MOST_CLASSES, whole=True)
        names = None if classes is None else class_names(classes, root)
        if names is not None and num_classes not in (None, len(names)):
            raise UserError(f'num_classes is {num_classes}, but classes names {len(names)}: give one of them.')
        self.ann_file = find_list(root, own_path(ann_file, 'ann_file'))
        lines = read_lines(self.ann_file, root)
        self._lines = lines.numbers
        values = _meaning(lines, labels, num_classes if names is None else len(names))
        places = lines.labels
        if not isinstance(values, range):
            order = np.argsort(values)
            places = order[np.searchsorted(np.array(values)[order], lines.labels)]
        super().__init__(self.ann_file.name.partition('.')[0] if name is None else name, root, lines.paths, places,
                         tuple(names or map(str, values)), image_size, resize, crop, crop_seed, check, on_broken, max_value)
        if classes is not None:
            self._refuse_contradiction()

    def where(self, place: int) -> str:
        """The line that names the image."""
        return f' (line {self._lines[self.places[place]]} of {self.ann_file})'

    def _refuse_contradiction(self) -> None:
        """Each class has a folder of its own, and it is called as another class: then `classes` has another order."""
        for label, folder in enumerate(self.class_folders):
            if folder in self.classes and folder != self.classes[label]:
                place = int(np.flatnonzero(self.labels == label)[0])
                raise UserError(
                    f'{brief(self.path(place))}{self.where(place)} is of class {label}, which `classes` calls '
                    f'{self.classes[label]!r}, but lies in the folder of {folder!r}: give `classes` in the order of the '
                    'labels.'
                )


def find_list(root: Path, ann_file: Path) -> Path:
    for path in (ann_file, root / ann_file):
        if path.is_file():
            return path
    raise UserError(f'there is no annotation list {ann_file}, nor {root / ann_file}: correct ann_file.')


def _meaning(lines: LabelLines, labels: str | Sequence[int] | None, num_classes: int | None) -> Sequence[int]:
    """What the list calls class 0, 1, ...: a range where its numbers are the classes."""
    present = np.unique(lines.labels)
    if labels is None:
        known = num_classes is not None
        count = num_classes if known else int(present[-1]) + 1
        if present[-1] < count <= (MOST_CLASSES if known else max(FEW, len(lines.labels))):
            return range(count)
        strange = lines.labels >= count if known else lines.labels == present[-1]
        there = f'there are {count} classes (0 to {count - 1})' if known else f'the list names {len(lines.labels):,} images'
        raise UserError(f'{_line(lines, strange)}, but {there}: {_advice(present, num_classes)}')
    if labels == 'remap':
        values = present.tolist()
    elif (
        isinstance(labels, (list, tuple)) and labels and all(type(value) is int and 0 <= value < 10**18 for value in labels)
        and len(set(labels)) == len(labels)
    ):
        values = list(labels)
        if (strange := ~np.isin(lines.labels, values)).any():
            raise UserError(f'{_line(lines, strange)}, which is not in `labels`: add it there, or leave these lines out.')
    else:
        raise UserError(f"labels must be 'remap' or a list of different numbers from 0, not {brief(repr(labels))}.")
    if num_classes not in (None, len(values)):
        raise UserError(
            f'{lines.file} has {len(values)} different labels ({_some(values)}), but there are {num_classes} classes: give '
            'labels=[...], the label of each class in their order.'
        )
    return values


def _line(lines: LabelLines, strange: np.ndarray) -> str:
    place = int(np.flatnonzero(strange)[0])
    return f'line {lines.numbers[place]} of {lines.file} has label {lines.labels[place]}'


def _advice(present: np.ndarray, num_classes: int | None) -> str:
    if num_classes is None or len(present) > num_classes:
        more = f'the labels ({_some(present)}) have gaps, which' if num_classes is None else 'correct num_classes or classes;'
        if num_classes is None:
            return f"{more} labels='remap' closes; if not, say num_classes."
        return f'{more} the list has {len(present)} different labels ({_some(present)}).'
    if present[0] == 1 and present[-1] == num_classes:
        return "the labels count from 1, so set labels='remap' (or labels=[1, 2, ...] where the list lacks some)."
    return f"the labels ({_some(present)}) have gaps: set labels='remap', or correct num_classes or classes."


def _some(values: Sequence[int]) -> str:
    return ', '.join(map(str, values[:5])) + (', ...' if len(values) > 5 else '')
