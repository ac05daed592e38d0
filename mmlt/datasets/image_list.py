"""A data set given by a file that names images and the class of each: a list, a table, JSON."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmlt.datasets.label_files import read_labels
from mmlt.datasets.naming import existing_folder, own_path
from mmlt.datasets.scaling import CROP_AREA, Area
from mmlt.datasets.table_dataset import TableDataset, find_list
from mmlt.errors import UserError, brief
from mmlt.registry import DATASETS


@DATASETS.register_module()
class ImageList(TableDataset):
    """Images named by a file, in its order, with one label each: every form of `read_labels`, see docs/labels.md.

    Args:
        data_root: folder that the paths in the file start from.
        ann_file: the file; a relative path is looked for as it stands, then in `data_root`.
        classes: names of the classes, or the path of a file with a name a line; None for those of the file.
        num_classes: how many, where they have no names; None for the highest label + 1.
        image_size: height and width of the images given out, in pixels.
        resize: see `StreamingDataset`.
        crop: `center` or `random_resized`, see `StreamingDataset`.
        crop_seed: of the random piece.
        name: of the data set; None for the name of the file.
        labels: what the file's numbers mean. None: class 0, 1, ..., or, where the names in `classes` are numbers
            themselves, those; `remap`: the numbers that the file has, in their order, are classes 0, 1, ... (labels that count
            from 1, or have gaps); a list of numbers: class k is what the file calls `labels[k]`, for a file that lacks some of
            them. Without `classes` the numbers are then the names.
        check: `files` or `pixels`, see `StreamingDataset`.
        on_broken: `stop` or `skip`, see `StreamingDataset`.
        max_value, backend, pack, crop_area: see `StreamingDataset`.
        image_column, label_column, split_column, group_column: headers of a table's columns, see `read_labels`.
        split: `train`, `val`, `test` or what the file calls it; `all` for every image.
        holdout: `dict(part='train', fraction=0.1, seed=0)`: a part is set aside and this is the rest; with `part='holdout'` it
            is the part; see `Holdout`.

    Raises:
        UserError: no such folder or file, a line that is not understood, a label outside the classes, names that
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
        image_column: str | None = None,
        label_column: str | None = None,
        split_column: str | None = None,
        group_column: str | None = None,
        split: str | None = None,
        holdout: Mapping[str, Any] | None = None,
        backend: str = 'opencv',
        pack: str | Path | None = None,
        crop_area: Area | Sequence[Area] = CROP_AREA,
    ) -> None:
        root = own_path(data_root, 'data_root') if pack else existing_folder(data_root, str(ann_file))
        self.ann_file = find_list(root, own_path(ann_file, 'ann_file'))
        table = read_labels(
            self.ann_file, root, classes=classes, num_classes=num_classes, labels=labels, several=False, split=split,
            image_column=image_column, label_column=label_column, split_column=split_column, group_column=group_column,
        )  # fmt: skip
        super().__init__(
            table, name, split, holdout, image_size, resize, crop, crop_seed, check, on_broken, max_value, backend, pack,
            crop_area,
        )  # fmt: skip
        if classes is not None:
            self._refuse_contradiction()

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
