"""A data set given by one folder a class."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmlt.datasets.class_folders import ClassFolders
from mmlt.datasets.label_files import LabelTable
from mmlt.datasets.label_files.folders import class_names_below, split_folders
from mmlt.datasets.label_files.read import class_folders_table
from mmlt.datasets.label_files.table import split_name
from mmlt.datasets.naming import class_names, existing_folder
from mmlt.datasets.scaling import CROP_AREA, Area
from mmlt.datasets.table_dataset import TableDataset
from mmlt.errors import UserError
from mmlt.registry import DATASETS


@DATASETS.register_module()
class ImageFolder(TableDataset):
    """Images in class folders: the folders below `data_root`, sorted by name, are classes 0, 1, ...

    Within a class the images, also those in deeper folders, are sorted by path. Links are followed, but for those that
    lead back, and a file counts once in a class, see `ClassFolders`. Hidden files and folders are skipped.

    Args:
        data_root: folder with a folder a class, or with those of `split` in a folder called so.
        image_size: height and width of the images given out, in pixels.
        resize: see `StreamingDataset`.
        crop: `center` or `random_resized`, see `StreamingDataset`.
        crop_seed: of the random piece.
        name: of the data set; None for the name of the folder.
        classes: names of the folders that are classes 0, 1, ..., for a test set that lacks some of the training set's:
            one that is not there has no image. A text is the path of a file with a name a line. None for the folders
            that are there, in any of the splits.
        check: `files` or `pixels`, see `StreamingDataset`.
        on_broken: `stop` or `skip`, see `StreamingDataset`.
        max_value, backend, pack, crop_area: see `StreamingDataset`.
        split: `train`, `val` or `test`, whatever their folders below `data_root` are called (`valid`, `testing`).
        holdout: `dict(part='train', fraction=0.1, seed=0)`: a part is set aside and this is the rest; with `part='holdout'` it
            is the part; see `Holdout`.

    Raises:
        UserError: no such folder, no class folder in it, one without an image, that is none of `classes`, or whose name is
            not UTF-8; splits, and none chosen.
    """

    def __init__(
        self,
        data_root: str | Path,
        image_size: int = 224,
        resize: int | None = None,
        crop: str = 'center',
        crop_seed: int = 0,
        name: str | None = None,
        classes: Sequence[str] | str | None = None,
        check: str = 'files',
        on_broken: str = 'stop',
        max_value: float | None = None,
        split: str | None = None,
        holdout: Mapping[str, Any] | None = None,
        backend: str = 'opencv',
        pack: str | Path | None = None,
        crop_area: Area | Sequence[Area] = CROP_AREA,
    ) -> None:
        root = existing_folder(data_root, 'the class folders')
        table = _table(root, None if classes is None else class_names(classes, root), split)
        super().__init__(
            table, name, split, holdout, image_size, resize, crop, crop_seed, check, on_broken, max_value, backend, pack,
            crop_area,
        )  # fmt: skip

    @property
    def class_folders(self) -> list[str | None]:
        """The classes: their folders are called so."""
        return list(self.classes)


def _table(root: Path, classes: list[str] | None, split: str | None) -> LabelTable:
    folders = split_folders(root, alone=split is None)
    if split is None:
        if folders and classes is None:
            first = next(iter(folders.values()))
            raise UserError(
                f'{root} holds {", ".join(folder.name for folder in folders.values())}, which are splits, not classes: set '
                f"data_root to one of them ({first}), or split='{next(iter(folders))}'."
            )
        return class_folders_table(root, classes)
    if split_name(split) not in folders:
        has = f'it has {", ".join(folders)}' if folders else f'it holds {", ".join(ClassFolders(root).names[:5])}'
        raise UserError(f'{root} has no folder of the split {split!r}; {has}: correct split, or leave it out.')
    return class_folders_table(folders[split_name(split)], classes or class_names_below(folders))
