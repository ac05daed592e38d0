"""A data set given by one folder a class."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mmlt.datasets.class_folders import EXTENSIONS, ClassFolders
from mmlt.datasets.naming import class_names, existing_folder
from mmlt.datasets.streaming import StreamingDataset
from mmlt.errors import UserError, brief
from mmlt.registry import DATASETS

SPLITS = {'train', 'training', 'val', 'valid', 'validation', 'test', 'testing'}


@DATASETS.register_module()
class ImageFolder(StreamingDataset):
    """Images in class folders: the folders below `data_root`, sorted by name, are classes 0, 1, ...

    Within a class the images, also those in deeper folders, are sorted by path. Links are followed, but for those that
    lead back, and a file counts once in a class, see `ClassFolders`. Hidden files and folders are skipped.

    Args:
        data_root: folder with a folder a class.
        image_size: height and width of the images given out, in pixels.
        resize: see `StreamingDataset`.
        crop: `center` or `random_resized`, see `StreamingDataset`.
        crop_seed: of the random piece.
        name: of the data set; None for the name of the folder.
        classes: names of the folders that are classes 0, 1, ..., for a test set that lacks some of the training set's:
            one that is not there has no image. A text is the path of a file with a name a line. None for the folders
            that are there.
        check: `files` or `pixels`, see `StreamingDataset`.
        on_broken: `stop` or `skip`, see `StreamingDataset`.
        max_value: see `StreamingDataset`.

    Raises:
        UserError: no such folder, no class folder in it, one without an image, that is none of `classes`, or whose name is
            not UTF-8.
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
    ) -> None:
        root = existing_folder(data_root, 'the class folders')
        folders = ClassFolders(root)
        if classes is None:
            classes = folders.names
            if set(map(str.lower, classes)) <= SPLITS:
                raise UserError(
                    f'{root} holds {", ".join(classes)}, which are splits, not classes: set data_root to one of them '
                    f'({root / classes[0]}).'
                )
        else:
            classes = class_names(classes, root)
        if strange := sorted(set(folders.names) - set(classes)):
            raise UserError(
                f'{root} has the folder {brief(strange[0])}, which is none of `classes`: add it there, or remove it.'
            )
        there = set(folders.names)
        paths, labels = [], []
        for label, folder in enumerate(classes):
            if folder not in there:
                continue
            found = folders.images(folder)
            if not found:
                raise UserError(f'class folder {root / folder} holds no image ({", ".join(EXTENSIONS)}): remove it.')
            paths += found
            labels += [label] * len(found)
        super().__init__(root.resolve().name if name is None else name, root, paths, np.array(labels), tuple(classes),
                         image_size, resize, crop, crop_seed, check, on_broken, max_value)
        self.skipped = {**folders.skipped, **self.skipped}

    @property
    def class_folders(self) -> list[str | None]:
        """The classes: their folders are called so."""
        return list(self.classes)
