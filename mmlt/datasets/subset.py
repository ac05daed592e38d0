"""Which images a long-tailed subset keeps: pure rules on labels, no data set and no files."""

import math
from dataclasses import dataclass
from numbers import Integral, Real

import numpy as np

from mmlt.errors import UserError

HOLDOUT_SHARE = 5  # of images with several labels: of each class at most one in five is set aside
PROFILES = ('exp', 'step', 'pareto', 'natural')
PROTOCOLS = ('cao', 'cao-holdout', 'first')
SPLITS = ('train', 'holdout')


def holdout_size(class_size: int) -> int:
    """Images of a class that `cao-holdout` sets aside: 4 %, at least 1, at most 100.

    That is 20 of CIFAR-100's 500 (480 stay) and 100 of CIFAR-10's 5000 (4900 stay).
    """
    return min(100, max(1, class_size * 4 // 100))


@dataclass(frozen=True)
class SubsetRule:
    """A rule that picks images by their labels.

    Attributes:
        profile: how the counts fall with the class id `c` of `C`, from `n_max` images of a class; all are truncated.
            `exp`: `n_max * mu ** (c / (C - 1))` with `mu = 1 / imbalance_ratio`; `step`: `n_max` in the first half,
            `n_max * mu` in the second; `pareto`: `n_max * (c + 1) ** -a` with `a = ln(imbalance_ratio) / ln(C)`, at
            least 1; `natural`: all images.
        imbalance_ratio: largest over smallest class, at least 1; `natural` does not use it.
        seed: of the shuffle within each class, in [0, 2 ** 32).
        protocol: `cao`: each class's images are shuffled, classes in rising order, and the first ones kept;
            `cao-holdout`: the same, after `holdout_size` images of the smallest class, and as many of every other, were
            set aside (of images with several labels a fifth of each class at most); `first`: the first images of each class
            in the order of the data set.
        split: `train`, or with `cao-holdout` also `holdout`, the images set aside, equally many of every class. They
            are drawn with seed 0 whatever `seed` is, so that all seeds are judged on the same images.

    Raises:
        UserError: an unknown name, a ratio below 1, a seed out of range, or a holdout that the protocol has not.

    Source: Cao et al., Learning Imbalanced Datasets with Label-Distribution-Aware Margin Loss, NeurIPS 2019.
    """

    profile: str = 'exp'
    imbalance_ratio: float = 100
    seed: int = 0
    protocol: str = 'cao'
    split: str = 'train'

    def __post_init__(self) -> None:
        for field, allowed in (('profile', PROFILES), ('protocol', PROTOCOLS), ('split', SPLITS)):
            if getattr(self, field) not in allowed:
                raise UserError(f'{field} of a long-tailed subset must be one of {", ".join(allowed)}, '
                                f'not {getattr(self, field)!r}.')
        if not (isinstance(self.imbalance_ratio, Real) and 1 <= self.imbalance_ratio < math.inf):
            raise UserError(f'imbalance_ratio must be a number of at least 1, not {self.imbalance_ratio!r}.')
        if not (isinstance(self.seed, Integral) and 0 <= self.seed < 2**32):
            raise UserError(f'the seed of a long-tailed subset must be a whole number from 0 to 2**32 - 1, '
                            f'not {self.seed!r}.')
        if self.split == 'holdout' and self.protocol != 'cao-holdout':
            raise UserError(f"split='holdout' needs protocol='cao-holdout'; {self.protocol!r} sets no image aside.")

    def counts(self, available: np.ndarray, name: str = 'the data set') -> list[int]:
        """Images to keep of each class.

        Args:
            available: (C,) images there are of each class.
            name: of the data set, for messages.

        Raises:
            UserError: the set is not balanced (all profiles but `natural`), has one class only, or a class would be
                left without an image.
        """
        num_classes = len(available)
        if self.profile == 'natural':
            counts = [int(count) for count in available]
        else:
            if num_classes < 2:
                raise UserError(f'{name} has {num_classes} class; a long tail needs at least 2.')
            if available.min() != available.max():
                raise UserError(
                    f'{name} is not balanced ({available.max()} to {available.min()} images a class), so profile '
                    f"{self.profile!r} would thin it twice: use profile='natural', or wrap the balanced set."
                )
            counts = self._profile(int(available[0]), num_classes)
        if 0 in counts:
            raise UserError(f'class {counts.index(0)} of {name} would have no training image '
                            f'(profile {self.profile!r}, imbalance ratio {self.imbalance_ratio:g}): lower '
                            'imbalance_ratio or leave the class out.')
        return counts

    def _profile(self, n_max: int, num_classes: int) -> list[int]:
        mu = 1 / self.imbalance_ratio
        if self.profile == 'exp':
            return [int(n_max * mu ** (c / (num_classes - 1))) for c in range(num_classes)]
        if self.profile == 'step':
            return [n_max if c < num_classes / 2 else int(n_max * mu) for c in range(num_classes)]
        exponent = math.log(self.imbalance_ratio) / math.log(num_classes)
        return [max(1, int(n_max * (c + 1) ** -exponent)) for c in range(num_classes)]

    def draw(self, labels: np.ndarray, num_classes: int, name: str = 'the data set') -> np.ndarray:
        """The images to keep, in the protocol's order: by class, within a class as shuffled.

        Args:
            labels: (N,) int64 in [0, num_classes), or (N, C) with 1 for each class of an image; these are kept in the
                order of the set.
            num_classes: C.
            name: of the data set, for messages.

        Returns:
            (M,) int64 places in `labels`.

        Raises:
            UserError: see `counts`.
        """
        if labels.ndim == 2:
            return self._draw_several(labels, name)
        pool = np.arange(len(labels), dtype=np.int64)
        if self.protocol == 'cao-holdout':
            held_out = _set_aside(labels, num_classes, name)
            if self.split == 'holdout':
                return held_out
            pool = np.setdiff1d(pool, held_out)
        members = _by_class(labels, pool, num_classes)
        counts = self.counts(np.array([len(places) for places in members]), name)
        if self.protocol != 'first':
            _shuffle(members, self.seed)
        return np.concatenate([places[:count] for places, count in zip(members, counts, strict=True)])

    def _draw_several(self, labels: np.ndarray, name: str) -> np.ndarray:
        if self.profile != 'natural':
            raise UserError(
                f'the images of {name} have several labels, so no class can be thinned by itself: set '
                f"profile='natural', not {self.profile!r}."
            )
        kept = np.arange(len(labels), dtype=np.int64)
        if self.protocol == 'cao-holdout':
            held_out = _set_aside_several(labels)
            kept = held_out if self.split == 'holdout' else np.setdiff1d(kept, held_out)
        if self.split == 'train':
            self.counts(labels[kept].sum(axis=0).astype(np.int64), name)
        return kept


def _set_aside_several(labels: np.ndarray) -> np.ndarray:
    """Images with several labels, drawn with seed 0: of each class at most a fifth, at least one of two or more; and of those
    without a label as large a share as of the others."""
    counts = labels.sum(axis=0).astype(np.int64)
    left = np.where(counts >= 2, np.maximum(counts // HOLDOUT_SHARE, 1), 0)
    rarest = np.where(labels > 0, counts, counts.max() + 1).min(axis=1)  # (N,)
    order = np.random.RandomState(0).permutation(len(labels))
    taken = []
    for place in order[np.argsort(rarest[order], kind='stable')]:  # the rare classes first: each gets its image
        shown = np.flatnonzero(labels[place])
        if len(shown) and (left[shown] > 0).all():
            left[shown] -= 1
            taken.append(place)
    without = order[~(labels[order] > 0).any(axis=1)]
    taken.extend(without[: round(len(taken) * len(without) / max(len(labels) - len(without), 1))])
    return np.sort(np.array(taken, dtype=np.int64))


def _by_class(labels: np.ndarray, pool: np.ndarray, num_classes: int) -> list[np.ndarray]:
    order = np.argsort(labels[pool], kind='stable')
    return np.split(pool[order], np.cumsum(np.bincount(labels[pool], minlength=num_classes))[:-1])


def _shuffle(members: list[np.ndarray], seed: int) -> None:
    # The stream of np.random.seed(seed); np.random.shuffle(...), without touching the global generator.
    generator = np.random.RandomState(seed)
    for places in members:
        generator.shuffle(places)


def _set_aside(labels: np.ndarray, num_classes: int, name: str) -> np.ndarray:
    members = _by_class(labels, np.arange(len(labels), dtype=np.int64), num_classes)
    smallest = min(len(places) for places in members)
    if smallest < 2:
        raise UserError(f"protocol 'cao-holdout' sets at least 1 image of every class aside, and a class of {name} has "
                        f'only {smallest}.')
    _shuffle(members, seed=0)
    return np.concatenate([places[:holdout_size(smallest)] for places in members])
