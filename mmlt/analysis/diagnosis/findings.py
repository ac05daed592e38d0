"""What a diagnosis found: counts, splits, files, duplicates and labels that disagree."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mmlt.analysis.diagnosis.duplicates import SURE, Duplicates, alikeness
from mmlt.analysis.diagnosis.scan import Scan
from mmlt.datasets.label_files import LabelTable
from mmlt.datasets.labels import count_labels
from mmlt.priors import shot_groups

ORDER = ('train', 'val', 'test')
ALL = 'all'  # the name of the one part of a set without splits


@dataclass
class Diagnosis:
    """A set of images, looked at.

    Args:
        table: the images and their labels.
        scan: of their files.
        duplicates: among them.
        convention: of the shot groups, see `mmlt.priors.shot_groups`.
    """

    table: LabelTable
    scan: Scan
    duplicates: Duplicates
    convention: str = 'standard'

    @property
    def several(self) -> bool:
        """Whether an image may have several labels."""
        return self.table.labels.ndim == 2

    @cached_property
    def splits(self) -> list[str]:
        """Names of the splits, `train`, `val` and `test` first; `['all']` where there is none."""
        if self.table.splits is None:
            return [ALL]
        return sorted(set(self.table.splits.tolist()), key=lambda name: (ORDER.index(name) if name in ORDER else 3, name))

    @cached_property
    def split_of(self) -> np.ndarray:
        """(N,) place of each image's split in `splits`."""
        if self.table.splits is None:
            return np.zeros(len(self.table), dtype=np.int64)
        place_of = {name: place for place, name in enumerate(self.splits)}
        return np.array([place_of[name] for name in self.table.splits.tolist()], dtype=np.int64)

    @cached_property
    def counts(self) -> np.ndarray:
        """(S, K) readable images of each class in each split; of several labels, those that show it."""
        rows = [(self.split_of == split) & self.scan.usable for split in range(len(self.splits))]
        return np.array([count_labels(self.table.labels[row], len(self.table.classes)) for row in rows])

    def counts_of_images(self, split: str) -> int:
        """Readable images of a split; one with several labels counts once."""
        return int(((self.split_of == self.splits.index(split)) & self.scan.usable).sum())

    @property
    def training(self) -> int:
        """Place in `splits` of what is trained on: `train`, or the largest split."""
        return self.splits.index('train') if 'train' in self.splits else int(self.counts.sum(axis=1).argmax())

    @property
    def class_counts(self) -> np.ndarray:
        """(K,) readable training images of each class."""
        return self.counts[self.training]

    @property
    def imbalance_ratio(self) -> float | None:
        """Images of the largest class over those of the smallest that has any; None where none has."""
        there = self.class_counts[self.class_counts > 0]
        return float(there.max() / there.min()) if len(there) else None

    @property
    def gini(self) -> float:
        """Gini coefficient of the class counts: 0 for equal classes, towards 1 where one class has nearly all images."""
        return gini(self.class_counts)

    @property
    def shot_groups(self) -> dict[str, np.ndarray]:
        """Classes of each shot group, by the training images; empty where there is none."""
        return shot_groups(self.class_counts, self.convention) if self.class_counts.any() else {}

    @property
    def absent(self) -> dict[str, np.ndarray]:
        """For each split the classes without a readable image in it; without those that have all."""
        found = {name: np.flatnonzero(row == 0) for name, row in zip(self.splits, self.counts, strict=True)}
        return {name: ids for name, ids in found.items() if len(ids)}

    @property
    def broken(self) -> np.ndarray:
        """Places of the files that cannot be used."""
        return np.flatnonzero(~self.scan.usable)

    @cached_property
    def exact_groups(self) -> list[np.ndarray]:
        """Places of images with equal pixels, two or more in each."""
        return together(self.duplicates.exact)

    @cached_property
    def near_groups(self) -> list[np.ndarray]:
        """Places of images that look alike, some pair of each not equal; two or more in each."""
        paired = set(self.duplicates.near.first.tolist())
        return [group for group in together(self.duplicates.near_group) if not paired.isdisjoint(group.tolist())]

    @cached_property
    def leaks(self) -> dict[tuple[str, str], dict[str, int]]:
        """For each two splits that share pictures: images of the second that stand in the first, `exact` and `near`."""
        found: dict[tuple[str, str], dict[str, int]] = {}
        for kind, first, second in (('exact', *self._exact_pairs()), ('near', *self._near_pairs())):
            for one, other in ((first, second), (second, first)):
                for a in range(len(self.splits)):
                    for b in range(a + 1, len(self.splits)):
                        images = other[(self.split_of[one] == a) & (self.split_of[other] == b)]
                        pair = found.setdefault((self.splits[a], self.splits[b]), {'exact': set(), 'near': set()})
                        pair[kind] |= set(images.tolist())
        counted = {
            pair: {'exact': len(kinds['exact']), 'near': len(kinds['near'] - kinds['exact'])} for pair, kinds in found.items()
        }
        return {pair: kinds for pair, kinds in counted.items() if any(kinds.values())}

    def _exact_pairs(self) -> tuple[np.ndarray, np.ndarray]:
        """Pairs of equal images in different splits: each image with the first of each other split."""
        first, second = [], []
        for group in self.exact_groups:
            heads = {int(self.split_of[place]): int(place) for place in group[::-1]}
            for place in group.tolist():
                for split, head in heads.items():
                    if split != self.split_of[place]:
                        first.append(head)
                        second.append(place)
        return np.array(first, dtype=np.int64), np.array(second, dtype=np.int64)

    def _near_pairs(self) -> tuple[np.ndarray, np.ndarray]:
        """Near pairs with the copies of both."""
        near = self.duplicates.near
        members = {int(group[0]): group for group in self.exact_groups}
        first, second = [near.first], [near.second]
        for one, other in zip(near.first.tolist(), near.second.tolist(), strict=True):
            if one in members or other in members:
                a, b = np.meshgrid(members.get(one, [one]), members.get(other, [other]))
                first.append(a.ravel())
                second.append(b.ravel())
        return np.concatenate(first), np.concatenate(second)

    @cached_property
    def shared_groups(self) -> list[np.ndarray]:
        """Groups of equal images that lie in more than one split."""
        return [group for group in self.exact_groups if len(set(self.split_of[group].tolist())) > 1]

    @cached_property
    def contradictions(self) -> list[np.ndarray]:
        """Groups of equal images whose labels differ."""
        return [group for group in self.exact_groups if self._labels_differ(group)]

    @cached_property
    def doubtful(self) -> list[tuple[int, int, float]]:
        """Pairs that look the same and are labelled differently, one of them like no other of its own class.

        Each is a pair of places and the correlation, the surest first. Of images with several labels there is none: another
        view of a scene may show something else.
        """
        if self.several:
            return []
        near, labels = self.duplicates.near, self.table.labels
        differ = labels[near.first] != labels[near.second]
        backed = np.zeros(len(labels), dtype=bool)  # looks like another image of its class
        backed[near.first[~differ]] = backed[near.second[~differ]] = True
        rows = np.flatnonzero(differ & ~(backed[near.first] & backed[near.second]))
        like = alikeness(self.scan.pictures, near.take(rows))
        sure = np.argsort(-like, kind='stable')
        return [(int(near.first[rows[k]]), int(near.second[rows[k]]), float(like[k])) for k in sure if like[k] >= SURE]

    def _labels_differ(self, group: np.ndarray) -> bool:
        return bool((self.table.labels[group] != self.table.labels[group[0]]).any())

    def label_text(self, place: int) -> str:
        """The label of an image by name; several joined by `, `."""
        label = self.table.labels[place]
        if not self.several:
            return self.table.classes[int(label)]
        return ', '.join(self.table.classes[k] for k in np.flatnonzero(label)) or 'nothing'

    def named(self, place: int) -> str:
        """Path and label of an image, for a line about it."""
        return f'{self.table.paths[place]} ({self.label_text(place)})'


def together(group_of: np.ndarray) -> list[np.ndarray]:
    """Places that have the same number, two or more, in the order of the numbers."""
    order = np.argsort(group_of, kind='stable')
    parts = np.split(order, np.flatnonzero(np.diff(group_of[order])) + 1) if len(order) else []
    return [np.sort(part) for part in parts if len(part) > 1]


def gini(counts: np.ndarray) -> float:
    """Mean absolute difference of all pairs of class counts over twice their mean.

    Args:
        counts: (K,) at least 0.
    """
    ordered = np.sort(np.asarray(counts, dtype=np.float64))
    if not ordered.sum():
        return 0.0
    ranks = np.arange(1, len(ordered) + 1)
    return float((2 * ranks - len(ordered) - 1) @ ordered / (len(ordered) * ordered.sum()))
