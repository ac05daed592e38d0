"""Data sets of images with several labels: from a file, and from arrays."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmlt.datasets.label_files import read_labels
from mmlt.datasets.labels import check_multi_hot
from mmlt.datasets.naming import check_names, class_names, existing_folder, own_path
from mmlt.datasets.resident import ResidentDataset
from mmlt.datasets.scaling import CROP_AREA, Area
from mmlt.datasets.table_dataset import TableDataset, find_list
from mmlt.errors import UserError
from mmlt.registry import DATASETS


@DATASETS.register_module()
class MultiLabelDataset(TableDataset):
    """Images with any number of labels, named by a file, in its order: every form of `read_labels`, see docs/labels.md.

    A table has a column with the labels (`Effusion|Mass`), or for each class a column with 1 (shown), 0 (not), -1 (uncertain)
    or nothing. A list has lines `path label,label`, the labels numbers from 0 or names; `path -` is an image that shows
    nothing. Where all images have as many numbers, 0 and 1 alone, in a line, a cell or a JSON list, each is that of a class.

    Args:
        data_root: folder that the paths start from.
        ann_file: the file; a relative path is looked for as it stands, then in `data_root`.
        classes: names of the classes, or the path of a file with a name a line; of a table with a column a class, the columns
            to take. None: what the file has; of a list of numbers those up to the highest.
        image_column: header of a table's column with the paths; None to find it.
        image_size, resize, crop, crop_seed, check, on_broken, max_value, backend, pack, crop_area: see `StreamingDataset`.
        name: of the data set; None for the name of the file.
        label_column, split_column, group_column: headers of a table's columns, see `read_labels`.
        separator: between the labels of one image; None for what is there of `|`, `;` and `,`.
        uncertain, blank: what -1 and an empty cell are: `zeros`, `ones`, or `leave_out` (the image); None to refuse them.
        split: `train`, `val`, `test` or what the file calls it; `all` for every image.
        holdout: see `ImageList`.

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
        label_column: str | None = None,
        split_column: str | None = None,
        group_column: str | None = None,
        separator: str | None = None,
        uncertain: str | None = None,
        blank: str | None = None,
        split: str | None = None,
        holdout: Mapping[str, Any] | None = None,
        backend: str = 'opencv',
        pack: str | Path | None = None,
        crop_area: Area | Sequence[Area] = CROP_AREA,
    ) -> None:
        root = own_path(data_root, 'data_root') if pack else existing_folder(data_root, str(ann_file))
        self.ann_file = find_list(root, own_path(ann_file, 'ann_file'))
        table = read_labels(
            self.ann_file, root, classes=classes, several=True, split=split, image_column=image_column,
            label_column=label_column, split_column=split_column, group_column=group_column, separator=separator,
            uncertain=uncertain, blank=blank,
        )  # fmt: skip
        super().__init__(
            table, name, split, holdout, image_size, resize, crop, crop_seed, check, on_broken, max_value, backend, pack,
            crop_area,
        )  # fmt: skip


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
