"""The images of some of the classes: what a teacher of a subset of classes is trained on."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from mmlt.datasets.fingerprint import indices_sha256
from mmlt.datasets.labels import count_labels, label_of, size_of
from mmlt.datasets.naming import own_path
from mmlt.errors import UserError, brief, quoted
from mmlt.priors import CONVENTIONS, GROUPS, shot_groups
from mmlt.schema import read_json


def class_places(spec: Sequence[str | int] | Mapping[str, Any], names: Sequence[str], class_counts: Sequence[int]) -> list[int]:
    """The places of the classes that a config asks for, in their order.

    Args:
        spec: names or places of classes; or `dict(group='few', convention='prior-lt')`, a shot group (`convention` is
            `standard` unless it is given); or `dict(group='macula', file='regions.json')`, an entry of a grouping file, which
            holds names or places of classes by group. Groups of a file may overlap.
        names: of all classes.
        class_counts: training images of each.

    Raises:
        UserError: a class or group that is not there, or fewer than two classes.
    """
    where = 'train_dataloader.classes'
    if isinstance(spec, Mapping):
        group = spec.get('group')
        if spec.keys() - {'group', 'file', 'convention'} or not isinstance(group, str) or len(spec) > 2:
            raise UserError(f"{where} is a list of classes, dict(group=..., convention=...) or dict(group=..., file=...), not "
                            f'{quoted(dict(spec))}.')  # fmt: skip
        if 'file' in spec:
            wanted, where = _of_file(spec['file'], group), f'{spec["file"]}, group {group!r}'
        else:
            wanted = _of_shots(group, spec.get('convention', 'standard'), class_counts)
    else:
        wanted = spec
    if not isinstance(wanted, (list, tuple)):
        raise UserError(f'{where} must be a list of classes, not {quoted(wanted)}.')
    places, known = [], {str(name): place for place, name in enumerate(names)}
    for one in wanted:
        place = known.get(one, -1) if isinstance(one, str) else one if type(one) is int else -1
        if not 0 <= place < len(names) or place in places:
            raise UserError(f'{where}: {brief(repr(one))} is no class of the training set, or stands there twice: correct it.')
        places.append(place)
    if len(places) < 2:
        raise UserError(f'{where} has {len(places)} class(es), and there must be two for something to be learned: take more.')
    return places


def _of_file(file: str, group: str) -> list:
    path = own_path(file, 'train_dataloader.classes.file')
    try:
        groups = read_json(path)
    except (OSError, ValueError) as error:
        raise UserError(f'the grouping file {path} cannot be read as JSON ({error}): correct the path or the file.') from error
    if not isinstance(groups, dict) or group not in groups:
        there = ', '.join(map(brief, groups)) if isinstance(groups, dict) else 'no groups'
        raise UserError(f'the grouping file {path} has no group {brief(group)!r}; it has {there}.')
    return groups[group]


def _of_shots(group: str, convention: str, class_counts: Sequence[int]) -> list[int]:
    if group not in GROUPS or convention not in CONVENTIONS:
        raise UserError(
            f'train_dataloader.classes: there is no shot group {brief(group)!r} of a convention {brief(str(convention))!r}: '
            f'the groups are {", ".join(GROUPS)}, the conventions {", ".join(CONVENTIONS)}.'
        )
    try:
        return shot_groups(class_counts, convention)[group].tolist()
    except ValueError as error:
        raise UserError(f'train_dataloader.classes: {error}') from error


class ClassSubset(Dataset):
    """The images of a set that show one of some classes; these are its classes 0, 1, ... and keep their names.

    Of several labels an image, those of other classes are left out.

    Args:
        dataset: the set.
        places: of the classes among the set's own, in the order that they have here.

    Attributes:
        indices: (M,) int64 places in the set.
        labels, class_counts, resident, takes_keys: as `LongTailedDataset`.

    Raises:
        UserError: no image shows one of the classes.
    """

    def __init__(self, dataset: Dataset, places: Sequence[int]) -> None:
        self.dataset, self.places = dataset, list(places)
        info = dataset.metainfo
        self.classes = tuple(info['classes'][place] for place in places)
        labels = np.asarray(dataset.labels)
        if labels.ndim == 2:
            own = labels[:, self.places]
            self.indices = np.flatnonzero(own.any(axis=1))
            self.labels = own[self.indices]
        else:
            mine = np.full(len(info['classes']), -1, dtype=np.int64)
            mine[self.places] = np.arange(len(self.places))
            self.indices = np.flatnonzero(mine[labels] >= 0)
            self.labels = mine[labels[self.indices]]
        if not len(self.indices):
            name = info.get('dataset', type(dataset).__name__)
            raise UserError(f'no image of {name} shows any of {", ".join(map(str, self.classes))}: correct the classes.')
        self.class_counts = count_labels(self.labels, len(self.classes))
        self.resident = bool(getattr(dataset, 'resident', False))
        self.takes_keys = bool(getattr(dataset, 'takes_keys', False))

    def __getattr__(self, name: str) -> Any:
        # What a set found and left out, and which split it is, does not change with a choice of its classes.
        if name in ('split', 'skipped', 'notes', 'left_out'):
            return getattr(self.dataset, name)
        raise AttributeError(name)

    @cached_property
    def metainfo(self) -> dict:
        """See `LongTailedDataset.metainfo`."""
        return {
            **self.dataset.metainfo, 'classes': self.classes, 'class_counts': self.class_counts, **size_of(self.labels)
        }  # fmt: skip

    @property
    def class_folders(self) -> list[str | None] | None:
        """See `StreamingDataset.class_folders`."""
        folders = getattr(self.dataset, 'class_folders', None)
        return folders and [folders[place] for place in self.places]

    def problems(self) -> list[str]:
        """See `StreamingDataset.problems`; of all images of the set."""
        return self.dataset.problems() if hasattr(self.dataset, 'problems') else []

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, item: int | tuple[int, int]) -> tuple[Tensor, int | Tensor]:
        """Image uint8 (C, H, W) and label, of a place or of a pair (place, key of the draw)."""
        place = item[0] if isinstance(item, tuple) else item
        inner = int(self.indices[place])
        image = self.dataset[(inner, item[1]) if isinstance(item, tuple) else inner][0]
        return image, label_of(self.labels, place)

    @property
    def item_shape(self) -> tuple[int, ...] | None:
        """See `StreamingDataset.item_shape`."""
        return getattr(self.dataset, 'item_shape', None)

    def read_into(self, places: Sequence[int], keys: Sequence[int], out: np.ndarray) -> None:
        """See `StreamingDataset.read_into`."""
        self.dataset.read_into(self.indices[np.asarray(places)].tolist(), keys, out)

    def tensors(self) -> tuple[Tensor, Tensor]:
        """See `LongTailedDataset.tensors`."""
        return self.dataset.tensors()[0][torch.from_numpy(self.indices)], torch.from_numpy(self.labels.copy())

    def release(self) -> None:
        """See `ResidentDataset.release`."""
        if hasattr(self.dataset, 'release'):
            self.dataset.release()

    def fingerprint(self) -> dict:
        """That of the set, with the number and the hash of the images kept, and the classes."""
        return dict(
            self.dataset.fingerprint(),
            num_images=len(self),
            indices_sha256=indices_sha256(self.indices),
            kept_classes=[str(name) for name in self.classes],
        )
