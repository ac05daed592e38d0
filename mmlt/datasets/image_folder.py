"""A data set given by one folder a class."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mmlt.datasets.streaming import StreamingDataset, existing_folder
from mmlt.errors import UserError
from mmlt.registry import DATASETS

EXTENSIONS = ('.bmp', '.jpeg', '.jpg', '.pgm', '.png', '.ppm', '.tif', '.tiff', '.webp')


@DATASETS.register_module()
class ImageFolder(StreamingDataset):
    """Images in class folders: the folders below `data_root`, sorted by name, are classes 0, 1, ...

    Within a class the images, also those in deeper folders, are sorted by path. Hidden files and folders are skipped.

    Args:
        data_root: folder with a folder a class.
        image_size: height and width of the images given out, in pixels.
        resize: see `StreamingDataset`.
        crop: `center` or `random_resized`, see `StreamingDataset`.
        crop_seed: of the random piece.
        name: of the data set; None for the name of the folder.
        classes: names of the folders that are classes 0, 1, ..., for a test set that lacks some of the training set's:
            one that is not there has no image. None for the folders that are there.

    Raises:
        UserError: no such folder, no class folder in it, one without an image or that is none of `classes`.
    """

    def __init__(
        self,
        data_root: str | Path,
        image_size: int = 224,
        resize: int | None = None,
        crop: str = 'center',
        crop_seed: int = 0,
        name: str | None = None,
        classes: Sequence[str] | None = None,
    ) -> None:
        root = existing_folder(data_root, 'the class folders')
        folders = sorted(entry.name for entry in root.iterdir() if entry.is_dir() and not entry.name.startswith('.'))
        if not folders:
            raise UserError(f'{root} has no class folder: it must have a folder a class with the images in it.')
        classes = folders if classes is None else list(classes)
        if strange := sorted(set(folders) - set(classes)):
            raise UserError(f'{root} has the folder {strange[0]}, which is none of `classes`: add it there, or remove it.')
        paths, labels = [], []
        for label, folder in enumerate(classes):
            if folder not in folders:
                continue
            found = sorted(_images_below(root / folder, root))
            if not found:
                raise UserError(f'class folder {root / folder} holds no image ({", ".join(EXTENSIONS)}): remove it.')
            paths += found
            labels += [label] * len(found)
        super().__init__(name or root.resolve().name, root, paths, np.array(labels), tuple(classes),
                         image_size, resize, crop, crop_seed)


def _images_below(folder: Path, root: Path) -> list[str]:
    found = []
    for place, folders, files in os.walk(folder, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith('.')]
        found += [(Path(place) / name).relative_to(root).as_posix() for name in files
                  if name.lower().endswith(EXTENSIONS) and not name.startswith('.')]
    return found
