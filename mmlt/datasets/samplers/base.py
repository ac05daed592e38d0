"""What all samplers share: the order of an epoch depends on (seed, epoch) alone; each rank takes its share of it."""

from abc import abstractmethod
from collections.abc import Iterator
from typing import Protocol

import numpy as np
import torch
from mmengine.dist import get_dist_info
from torch import Tensor

from mmlt.arguments import number
from mmlt.errors import UserError

AT_ONCE = 2**16  # numbers, where an epoch's order is made piece by piece


class LabelledDataset(Protocol):
    """What a sampler asks of a data set: labels int64 (N,), or of several labels an image bool (N, C), and
    `metainfo['class_counts']`, the images of each class."""

    labels: np.ndarray
    metainfo: dict

    def __len__(self) -> int: ...


class Draws:
    """Random numbers of one (seed, epoch).

    They are made from the raw 64-bit words of PCG64, which NumPy keeps for ever, so an order is the same in all
    versions. The seed sequence hashes (seed, epoch): neighbouring seeds and epochs never share a stream.

    Args:
        seed: at least 0.
        epoch: at least 0.
    """

    def __init__(self, seed: int, epoch: int) -> None:
        self._source = np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(epoch,)))

    def words(self, count: int) -> np.ndarray:
        """`count` random words, uint64."""
        return self._source.random_raw(count)

    def uniform(self, count: int) -> np.ndarray:
        """`count` numbers in [0, 1), float64, multiples of 2 ** -53."""
        return (self.words(count) >> np.uint64(11)) * 2.0**-53

    def permutation(self, count: int) -> np.ndarray:
        """A permutation of `range(count)`, int64."""
        return np.argsort(self.words(count), kind='stable')

    def shuffle_groups(self, sizes: np.ndarray) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
        """Shuffle the numbers from 0 within each of many groups that stand one behind another.

        Args:
            sizes: (G,) int64, above 0, of the groups.

        Yields:
            Some whole groups at a time, about `AT_ONCE` numbers: where these stand; the group of each place, int64 (L,); the
            number of the group that stands there now, int64 (L,).
        """
        bits = np.uint64(max(int(len(sizes) - 1).bit_length(), 1))  # of a key, for the group; the rest are random
        ends = np.cumsum(sizes, dtype=np.int64)
        first = begin = 0
        while first < len(sizes):
            last = max(int(np.searchsorted(ends, begin + AT_ONCE, side='right')), first + 1)
            group = np.repeat(np.arange(first, last), sizes[first:last])
            keys = (group.astype(np.uint64) << (np.uint64(64) - bits)) | (self.words(len(group)) >> bits)
            starts = ends[first:last] - sizes[first:last] - begin
            within = np.argsort(keys, kind='stable') - np.repeat(starts, sizes[first:last])
            yield slice(begin, begin + len(group)), group, within
            first, begin = last, begin + len(group)


class Sampler(torch.utils.data.Sampler):
    """Base of the samplers: a subclass says in `draw` which images an epoch visits, in which order.

    All ranks compute the same global order and take every world-size-th place of it, so the global order does not
    depend on their number. Where it does not divide evenly the order is continued from its start.

    Args:
        dataset: see `LabelledDataset`; or the labels alone, for a data set of any kind in a plain loop: whole numbers (N,), or
            (N, C) with 1 for each class that an image shows.
        seed: at least 0; None (what a runner without a seed passes) is 0.
        num_samples: draws in an epoch, over all ranks; None for the sampler's own choice (mostly N).

    Attributes:
        several: whether the sampler takes images with several labels.

    Raises:
        UserError: no labels, no image, a negative seed, counts that do not fit the labels, several labels an image where
            the sampler takes one, or `num_samples` below 1.
    """

    several = False

    def __init__(self, dataset: LabelledDataset, seed: int | None = 0, num_samples: int | None = None) -> None:
        super().__init__()
        self.labels, self.class_counts = _labels_and_counts(dataset)
        if self.labels.ndim == 2 and not self.several:
            raise UserError(
                f'{type(self).__name__} draws by the one label of an image, and {type(dataset).__name__} has several: use '
                'ClassAwareSampler, RepeatFactorSampler or ShuffleSampler.'
            )
        if num_samples is not None:
            number(self, 'num_samples', num_samples, least=1, whole=True)
        number(self, 'seed', seed or 0, least=0, whole=True)
        self.seed = seed or 0
        self.num_samples = self.default_length() if num_samples is None else num_samples
        self.epoch = 0
        self.rank, self.world_size = get_dist_info()

    def default_length(self) -> int:
        """Draws in an epoch when `num_samples` is None: the number of images."""
        return len(self.labels)

    def class_probabilities(self, epoch: int) -> np.ndarray:
        """Share of each class in the draws of `epoch` on average, (C,) float64, sums to 1: here that in the data set.

        With several labels an image the classes' shares of all labels.
        """
        return self.class_counts / self.class_counts.sum()

    def notice(self) -> str | None:
        """What a user should know of its order before the run; None for nothing."""

    @abstractmethod
    def draw(self, draws: Draws, epoch: int) -> np.ndarray:
        """The order of `epoch`, whole numbers (num_samples,), from `draws`, the random numbers of (seed, epoch)."""

    def epoch_indices(self, epoch: int) -> Tensor:
        """The global order of an epoch.

        Args:
            epoch: counted from 0.

        Returns:
            int64 CPU tensor (num_samples,) of indices into the data set; a function of (seed, epoch) only.
        """
        return torch.from_numpy(self.draw(Draws(self.seed, epoch), epoch)).long()

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch, counted from 0, that the next `iter` goes through."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[int]:
        """Indices of this rank's share of the epoch that is set."""
        order = self.epoch_indices(self.epoch)
        end = len(self) * self.world_size
        for first in range(self.rank, end, AT_ONCE * self.world_size):  # as a list, millions of numbers would take long
            places = torch.arange(first, min(first + AT_ONCE * self.world_size, end), self.world_size)
            yield from order[places % len(order)].tolist()

    def __len__(self) -> int:
        """Draws of this rank in an epoch."""
        return -(-self.num_samples // self.world_size)


class ClassTable:
    """Images of each class in one array, so that a draw from a class is one look-up.

    Args:
        labels: (N,) int64, or bool (N, C) of images with several, which then stand with each of their classes.
        class_counts: (C,) int64, images of each class.
    """

    def __init__(self, labels: np.ndarray, class_counts: np.ndarray) -> None:
        # (sum of the counts,), class by class
        self.images = np.argsort(labels, kind='stable') if labels.ndim == 1 else np.nonzero(labels.T)[1]
        self.counts = class_counts
        self.starts = np.cumsum(class_counts) - class_counts
        self.classes = np.flatnonzero(class_counts)  # those with an image

    def pick(self, classes: np.ndarray, uniform: np.ndarray) -> np.ndarray:
        """For each class (L,) the image at the share `uniform` (L,), in [0, 1), of its list; int64 (L,)."""
        counts = self.counts[classes]
        # A share just below 1 may round up to the count itself.
        place = np.minimum((uniform * counts).astype(np.int64), counts - 1)
        return self.images[self.starts[classes] + place]


def _labels_and_counts(dataset: LabelledDataset) -> tuple[np.ndarray, np.ndarray]:
    name = type(dataset).__name__
    if isinstance(dataset, (list, tuple, np.ndarray, Tensor)):
        return _counted(np.asarray(dataset))
    if getattr(dataset, 'labels', None) is None or 'class_counts' not in (getattr(dataset, 'metainfo', None) or {}):
        raise UserError(f"the data set {name} has no `labels` or no `metainfo['class_counts']`: use one of mmlt's.")
    labels = np.asarray(dataset.labels)
    counts = np.asarray(dataset.metainfo['class_counts'], dtype=np.int64)
    if len(labels) == 0:
        raise UserError(f'the data set {name} has no image.')
    if labels.ndim == 2:
        if not np.array_equal(labels.sum(axis=0), counts):
            raise UserError(f"the labels of the data set {name} do not agree with its metainfo['class_counts'].")
        return labels.astype(bool, copy=False), counts
    labels = labels.astype(np.int64, copy=False)
    if labels.min() < 0 or labels.max() >= len(counts) or (np.bincount(labels, minlength=len(counts)) != counts).any():
        raise UserError(f"the labels of the data set {name} do not agree with its metainfo['class_counts'].")
    return labels, counts


def _counted(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Labels that were given by themselves, and how often each class stands in them."""
    allowed = {1: 'iu', 2: 'iufb'}.get(labels.ndim, '')
    if labels.dtype.kind not in allowed or len(labels) == 0 or labels.min() < 0:
        raise UserError('labels for a sampler must be whole numbers from 0, (N,), or (N, C) of 0 and 1, and not be empty.')
    if labels.ndim == 2:
        shown = labels > 0
        return shown, shown.sum(axis=0).astype(np.int64)
    return labels.astype(np.int64), np.bincount(labels.astype(np.int64)).astype(np.int64)
