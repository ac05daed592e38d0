"""LongTailedDataset: a pinned long-tailed subset of any data set."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from mmlt.datasets.fingerprint import content_sha256, describe, indices_sha256
from mmlt.datasets.labels import as_labels, count_labels, size_of
from mmlt.datasets.mmpretrain_dataset import build_dataset
from mmlt.datasets.official import official_labels, pixels_are_official
from mmlt.datasets.resident import ResidentDataset
from mmlt.datasets.subset import SubsetRule
from mmlt.errors import UserError
from mmlt.registry import DATASETS


@DATASETS.register_module()
class LongTailedDataset(Dataset):
    """The images of a data set that a rule keeps, always the same ones in the same order.

    A wrapped set that is itself the subset asked for (its `index` column says so) is recognised: it gives the same
    images in the same order, and the same fingerprint, as thinning the whole set.

    Args:
        dataset: the set, or its config. It has `labels` (N,) and `metainfo['classes']`.
        profile: `exp`, `step`, `pareto` or `natural`; see `SubsetRule`.
        imbalance_ratio: largest over smallest class.
        seed: of the shuffle within each class; 0 is the reference.
        protocol: `cao`, `cao-holdout` or `first`; see `SubsetRule`.
        split: `train`, or `holdout`: the images that `cao-holdout` set aside.

    Attributes:
        dataset: the wrapped set.
        rule: the rule.
        indices: (M,) int64 places in the wrapped set, in the protocol's order (by class, within a class as shuffled).
        official_indices: (M,) int64, the same images' places in the official split (equal to `indices` if the wrapped
            set is that split).
        labels: (M,) int64, or float32 (M, C) of images with several.
        class_counts: images of each class, a list of C.
        resident: whether `tensors()` gives everything at once.
        takes_keys: whether an item may be a pair (place, key of the draw).

    Raises:
        UserError: a rule that does not exist or does not fit the set, a set that would be thinned twice, a class left
            without an image, labels outside the classes.
    """

    def __init__(
        self,
        dataset: dict | Dataset,
        profile: str = 'exp',
        imbalance_ratio: float = 100,
        seed: int = 0,
        protocol: str = 'cao',
        split: str = 'train',
    ) -> None:
        self.rule = SubsetRule(profile, imbalance_ratio, seed, protocol, split)
        self.dataset = build_dataset(dataset) if isinstance(dataset, dict) else dataset
        self.resident = bool(getattr(self.dataset, 'resident', hasattr(self.dataset, 'tensors')))
        self.takes_keys = bool(getattr(self.dataset, 'takes_keys', False))
        if isinstance(self.dataset, ResidentDataset):  # its metainfo reads the pixels, which nobody needs yet
            self.classes, self.name = self.dataset.classes, self.dataset.name
        else:
            self.classes = tuple(self.dataset.metainfo['classes'])
            self.name = self.dataset.metainfo.get('dataset', type(self.dataset).__name__)
        labels = as_labels(self.dataset.labels)
        most = 2 if labels.ndim == 2 else len(self.classes)
        if len(labels) == 0 or labels.min() < 0 or labels.max() >= most:
            raise UserError(f'{self.name} must have labels, all in 0 to {len(self.classes) - 1} (its classes).')
        self.indices, self.official_indices = self._place(labels)
        self.labels = labels[self.indices]
        self.class_counts: list[int] = count_labels(self.labels, len(self.classes))

    @property
    def split(self) -> str:
        """`train` or `holdout`."""
        return 'holdout' if getattr(self.dataset, 'split', None) == 'holdout' else self.rule.split

    def set_aside(self) -> Dataset:
        """The images that `cao-holdout`, or the wrapped set, set aside from this set, looked at as test images are.

        Raises:
            UserError: neither sets any aside.
        """
        rule, whole = self.rule, self.dataset
        if rule.profile == 'natural' and getattr(whole, 'holdout', None):
            return whole.set_aside()
        if rule.protocol != 'cao-holdout':
            raise UserError(f"protocol {rule.protocol!r} of {self.name} sets no image aside: set protocol='cao-holdout'.")
        tested = whole.as_tested() if hasattr(whole, 'as_tested') else whole
        return LongTailedDataset(tested, rule.profile, rule.imbalance_ratio, rule.seed, rule.protocol, 'holdout')

    def _place(self, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        index = getattr(self.dataset, 'index', None)
        if index is None:
            places = self.rule.draw(labels, len(self.classes), self.name)
            return places, places
        order = np.argsort(index)  # the protocol counts in the official order
        recognised = self._recognise(index, labels)
        if recognised is not None:
            return order[np.searchsorted(index, recognised, sorter=order)], recognised
        places = order[self.rule.draw(labels[order], len(self.classes), self.name)]
        return places, index[places]

    def _recognise(self, index: np.ndarray, labels: np.ndarray) -> np.ndarray | None:
        """Official places of the subset in the protocol's order, if the wrapped set is that subset; else None."""
        known = official_labels(self.name)
        if known is not None and len(index) < len(known) and index.max() < len(known):
            wanted = self.rule.draw(known, len(self.classes), self.name)
            if np.array_equal(np.sort(index), np.sort(wanted)) and np.array_equal(labels, known[index]):
                return wanted
        stated = getattr(self.dataset, 'subset', None)
        if stated is None:
            return None
        rule, fingerprint = self.rule, stated['fingerprint']
        asked = (rule.profile, rule.imbalance_ratio, rule.seed, rule.protocol, rule.split)
        carried = tuple(stated.get(key) for key in ('profile', 'imbalance_ratio', 'seed', 'protocol', 'split'))
        same = asked == carried and fingerprint.get('dataset') == self.name
        return index if same and indices_sha256(index) == fingerprint['indices_sha256'] else None

    @cached_property
    def metainfo(self) -> dict:
        """`dataset`, `classes`, `class_counts` (list of int), and `verified`: the pixels are known to be official; and
        `num_images` where images have several labels."""
        inner = bool(self.dataset.metainfo.get('verified', False))
        return dict(
            dataset=self.name,
            classes=self.classes,
            class_counts=self.class_counts,
            verified=inner or (self.resident and pixels_are_official(self.name, self._content_sha256)),
            **size_of(self.labels),
        )

    @cached_property
    def _content_sha256(self) -> str:
        return content_sha256(self.dataset, self.indices)

    @property
    def class_folders(self) -> list[str | None] | None:
        """See `StreamingDataset.class_folders`; None where the wrapped set has no files."""
        return getattr(self.dataset, 'class_folders', None)

    @property
    def skipped(self) -> dict[str, int]:
        """What the wrapped set found and left out, see `StreamingDataset`."""
        return getattr(self.dataset, 'skipped', {})

    @property
    def notes(self) -> tuple[str, ...]:
        """How the wrapped set's file was read, see `TableDataset`."""
        return getattr(self.dataset, 'notes', ())

    @property
    def left_out(self) -> list[str]:
        """See `StreamingDataset`."""
        return getattr(self.dataset, 'left_out', [])

    def problems(self) -> list[str]:
        """What is wrong with the files of the images kept, see `StreamingDataset.problems`; empty for a set without files."""
        return self.dataset.problems(self.indices) if hasattr(self.dataset, 'problems') else []

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, item: int | tuple[int, int]) -> tuple[Tensor, int | Tensor]:
        """Image uint8 (C, H, W) and label, of a place or of a pair (place, key of the draw)."""
        if isinstance(item, tuple):
            return self.dataset[int(self.indices[item[0]]), item[1]]
        return self.dataset[int(self.indices[item])]

    @property
    def item_shape(self) -> tuple[int, ...] | None:
        """See `StreamingDataset.item_shape`."""
        return getattr(self.dataset, 'item_shape', None)

    def read_into(self, places: Sequence[int], keys: Sequence[int], out: np.ndarray) -> None:
        """See `StreamingDataset.read_into`."""
        self.dataset.read_into(self.indices[np.asarray(places)].tolist(), keys, out)

    def tensors(self) -> tuple[Tensor, Tensor]:
        """Images uint8 (M, C, H, W) and labels int64 (M,) or float32 (M, C), made anew at each call and not kept.

        Raises:
            UserError: the wrapped set is not held in memory.
        """
        if not self.resident:
            raise UserError(f'{self.name} is read image by image and is never one tensor: load it through workers.')
        if isinstance(self.dataset, ResidentDataset):
            return self.dataset.tensors(self.indices)
        images, _ = self.dataset.tensors()
        return images[torch.from_numpy(self.indices)], torch.from_numpy(self.labels.copy())

    def release(self) -> None:
        """Release the pixels, see `ResidentDataset.release`; the fingerprint is taken before."""
        if hasattr(self.dataset, 'release'):
            _ = self._content_sha256
            self.dataset.release()

    def fingerprint(self) -> dict:
        """What the subset is: the rule, the number of images and the hashes of its index list and content.

        `indices_sha256` is over the official places as little-endian int64, `content_sha256` over the uint8 NHWC pixels
        in that order: an exported subset has those of the original. Of a set read from image files it is over their names
        and bytes, and `content` says so.
        """
        ratio = None if self.rule.profile == 'natural' else self.rule.imbalance_ratio
        words = self.dataset.content_of(self.indices) if hasattr(self.dataset, 'content_of') else None
        said = describe(self.name, self.rule.profile, self.class_counts, self.rule.protocol, self.official_indices,
                        self._content_sha256, ratio, words)
        aside = getattr(self.dataset, 'holdout', None)
        return {**said, 'holdout': aside.record()} if aside else said
