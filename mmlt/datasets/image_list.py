"""A data set given by a text file of lines `path label` (ImageNet-LT, Places-LT, iNaturalist)."""

import lzma
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mmlt.datasets.streaming import StreamingDataset, existing_folder
from mmlt.errors import UserError
from mmlt.registry import DATASETS


@DATASETS.register_module()
class ImageList(StreamingDataset):
    """Images named by an annotation list, in its order; empty lines are skipped.

    Args:
        data_root: folder that the paths in the list start from.
        ann_file: the list, `.txt` or `.txt.xz`; a relative path is looked for as it stands, then in `data_root`.
        classes: names of the classes.
        num_classes: how many, where they have no names; None for the highest label + 1.
        image_size: height and width of the images given out, in pixels.
        resize: see `StreamingDataset`.
        crop: `center` or `random_resized`, see `StreamingDataset`.
        crop_seed: of the random piece.
        name: of the data set; None for the name of the list.

    Raises:
        UserError: no such folder or list, a line that is not `path label`, a label outside the classes.
    """

    def __init__(
        self,
        data_root: str | Path,
        ann_file: str | Path,
        classes: Sequence[str] | None = None,
        num_classes: int | None = None,
        image_size: int = 224,
        resize: int | None = None,
        crop: str = 'center',
        crop_seed: int = 0,
        name: str | None = None,
    ) -> None:
        if classes is not None and num_classes not in (None, len(classes)):
            raise UserError(f'num_classes is {num_classes}, but classes names {len(classes)}: give one of them.')
        if classes is not None:
            num_classes = len(classes)
        root = existing_folder(data_root, str(ann_file))
        self.ann_file = _find(root, Path(ann_file))
        paths, labels, self._lines = _read(self.ann_file, num_classes)
        names = classes or [str(c) for c in range(max(labels) + 1 if num_classes is None else num_classes)]
        super().__init__(name or self.ann_file.name.partition('.')[0], root, paths, np.array(labels), tuple(names),
                         image_size, resize, crop, crop_seed)

    def where(self, place: int) -> str:
        """The line that names the image."""
        return f' (line {self._lines[place]} of {self.ann_file})'


def _find(root: Path, ann_file: Path) -> Path:
    for path in (ann_file, root / ann_file):
        if path.is_file():
            return path
    raise UserError(f'there is no annotation list {ann_file}, nor {root / ann_file}: correct ann_file.')


def _read(path: Path, num_classes: int | None) -> tuple[list[str], list[int], np.ndarray]:
    paths, labels, lines = [], [], []
    opener = lzma.open if path.suffix == '.xz' else open
    try:
        with opener(path, 'rt', encoding='utf-8', errors='surrogateescape') as file:
            for number, line in enumerate(file, start=1):
                if not line.strip():
                    continue
                name, _, label = ' '.join(line.rsplit(maxsplit=1)).rpartition(' ')
                if not name.strip() or not (label.isascii() and label.isdecimal()):
                    raise UserError(f'line {number} of {path} is not a path and a label: {line.strip()!r}.')
                if num_classes is not None and int(label) >= num_classes:
                    raise UserError(f'line {number} of {path} has label {label}, but there are {num_classes} classes '
                                    f'(0 to {num_classes - 1}).')
                paths.append(name.strip())
                labels.append(int(label))
                lines.append(number)
    except (OSError, EOFError, lzma.LZMAError) as error:
        raise UserError(f'the annotation list {path} cannot be read ({error}).') from error
    if not paths:
        raise UserError(f'the annotation list {path} names no image.')
    return paths, labels, np.array(lines)
