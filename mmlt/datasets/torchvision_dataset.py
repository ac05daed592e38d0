"""`TorchvisionDataset`: torchvision's data sets of images with one label, as mmlt's."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmlt.datasets.holdout import HOLDOUT, Holdout
from mmlt.datasets.label_files import LabelTable
from mmlt.datasets.labels import count_labels
from mmlt.datasets.naming import check_names, class_names, own_path
from mmlt.datasets.paths import Paths
from mmlt.datasets.resident import ResidentDataset
from mmlt.datasets.table_dataset import TableDataset
from mmlt.datasets.torchvision_sets import files_of, names_of, open_set, pictures_of
from mmlt.errors import UserError, brief
from mmlt.registry import DATASETS


@DATASETS.register_module(name='TorchvisionDataset')
def torchvision_dataset(
    name: str,
    data_root: str | Path | None = None,
    split: str | None = None,
    options: Mapping[str, Any] | None = None,
    download: bool = False,
    classes: Sequence[str] | str | None = None,
    image_size: int | None = None,
    resize: int | None = None,
    crop: str = 'center',
    crop_seed: int = 0,
    holdout: Mapping[str, Any] | None = None,
) -> TableDataset | ResidentDataset:
    """A data set of `torchvision.datasets` whose images have one label: `GTSRB`, `EuroSAT`, `SVHN`, `Food101`, `MNIST`, ...

    Sets of image files are read as `ImageList` reads them; sets of arrays are held in memory at their own size.

    Args:
        name: of the class in `torchvision.datasets`.
        data_root: folder that torchvision looks in, its `root`; None for a set that has none (`FakeData`).
        split: torchvision's name of it (`train`, `test`, `val`, `extra`, ...); None for its own default.
        options: its further arguments: `dict(partition=2)` of `DTD`, `dict(split='letters')` of `EMNIST`.
        download: whether torchvision may fetch what is not there; it never does unasked.
        classes: names of the classes, or the path of a file with a name a line, where torchvision knows none (`GTSRB`) or other
            ones are wanted.
        image_size: height and width of the images given out, in pixels, of a set of files; None for 224. A set of arrays keeps
            its own.
        resize, crop, crop_seed: of a set of files, see `StreamingDataset`.
        holdout: see `ImageList`.

    Raises:
        UserError: there is no such set, its files are not there, it is for another task, or an argument does not fit.
    """
    place = None if data_root is None else own_path(data_root, 'data_root')
    if options is not None and not isinstance(options, Mapping):
        raise UserError(f'options of a TorchvisionDataset is a dict of its arguments, not {brief(repr(options))}.')
    dataset = open_set(name, None if place is None else str(place), split, options or {}, download)
    if not len(dataset):
        raise UserError(f'torchvision.datasets.{name} in {place} has no image.')
    found = files_of(dataset)
    images, labels = pictures_of(dataset) if found is None else (None, found[1])
    if labels.min() < 0:
        raise UserError(f'torchvision.datasets.{name} has images without a label: choose another split.')
    names = tuple(names_of(dataset, labels) if classes is None else class_names(classes, place or Path()))
    check_names(names, f'torchvision.datasets.{name}')
    if labels.max() >= len(names):
        raise UserError(f'torchvision.datasets.{name} has labels up to {labels.max()}, but `classes` names {len(names)}.')
    if found is None:
        if image_size not in (None, *images.shape[1:3]) or resize is not None or crop != 'center':
            raise UserError(
                f'the images of torchvision.datasets.{name} stay {images.shape[2]} x {images.shape[1]} in memory: leave '
                'image_size, resize and crop out, and let data_preprocessor cut them.'
            )
        return TorchvisionArrays(f'torchvision-{name}', images, labels, names, split, holdout)
    paths = Paths(Path(file).absolute().relative_to(place.absolute()).as_posix() for file in found[0])
    table = LabelTable(place, place, paths, labels, names, f"torchvision's {name}")
    return TableDataset(table, f'torchvision-{name}', split, holdout, 224 if image_size is None else image_size, resize, crop,
                        crop_seed, 'files', 'stop', None)  # fmt: skip


class TorchvisionArrays(ResidentDataset):
    """Images of one size, held in memory; see `torchvision_dataset`.

    Args:
        name: of the data set.
        images: uint8 (N, H, W, 3).
        labels: int64 (N,).
        classes: names.
        split: that was asked for.
        holdout: see `ImageList`.
    """

    def __init__(
        self, name: str, images: np.ndarray, labels: np.ndarray, classes: tuple[str, ...], split: str | None,
        holdout: Mapping[str, Any] | None,
    ) -> None:  # fmt: skip
        self.name, self.classes, self.holdout, self.notes = name, classes, None, ()
        self._whole, self._asked = (images, labels), split
        self.split = split
        if holdout is not None:
            self.holdout = Holdout.of(holdout)
            places = self.holdout.places(labels, None, len(classes))
            self.notes = (self.holdout.told(len(places), len(labels), None),)
            self.split = HOLDOUT if self.holdout.part == HOLDOUT else split
            images, labels = images[places], labels[places]
        self._images, self.labels = images, labels

    @property
    def images(self) -> np.ndarray:
        """(N, H, W, 3) uint8."""
        return self._images

    @property
    def class_counts(self) -> list[int]:
        """Images of each class."""
        return count_labels(self.labels, len(self.classes))

    def set_aside(self) -> 'TorchvisionArrays':
        """See `TableDataset.set_aside`."""
        if self.holdout is None or self.holdout.part == HOLDOUT:
            raise UserError(f"{self.name} sets no image aside: set holdout=dict(part='train', fraction=0.1) of the data set.")
        aside = {**self.holdout.record(), 'part': HOLDOUT}
        return TorchvisionArrays(self.name, *self._whole, self.classes, self._asked, aside)

    def fingerprint(self) -> dict:
        """See `ResidentDataset.fingerprint`; `holdout` says what was set aside, if anything was."""
        said = super().fingerprint()
        return said if self.holdout is None else {**said, 'holdout': self.holdout.record()}
