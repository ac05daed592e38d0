"""Which class is taken for which: the confusion matrix, between shot groups, and its largest cells."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

PAIRS = 50  # that a record names


class Confusion(NamedTuple):
    """The non-zero cells of a confusion matrix, by true class, then by predicted class.

    Attributes:
        true: int64 (M,), true class.
        predicted: int64 (M,), predicted class.
        images: int64 (M,), how many images.
        num_classes: K.
    """

    true: np.ndarray
    predicted: np.ndarray
    images: np.ndarray
    num_classes: int

    def by_true(self) -> np.ndarray:
        """int64 (K,), images of each class."""
        return self._sums(self.true, slice(None))

    def by_predicted(self) -> np.ndarray:
        """int64 (K,), images predicted as each class."""
        return self._sums(self.predicted, slice(None))

    def correct(self) -> np.ndarray:
        """int64 (K,), images of each class that are predicted right."""
        return self._sums(self.true, self.true == self.predicted)

    def _sums(self, by: np.ndarray, which: slice | np.ndarray) -> np.ndarray:
        sums = np.zeros(self.num_classes, dtype=np.int64)
        np.add.at(sums, by[which], self.images[which])
        return sums


def confusion_of(target: np.ndarray, prediction: np.ndarray, num_classes: int) -> Confusion:
    """Count the images of each pair of true and predicted class.

    Args:
        target: (N,) in [0, K).
        prediction: (N,) in [0, K).
        num_classes: K.
    """
    cells, images = np.unique(target.astype(np.int64) * num_classes + prediction, return_counts=True)
    return Confusion(*np.divmod(cells, num_classes), images, num_classes)


def group_confusion(confusion: Confusion, groups: Mapping[str, np.ndarray]) -> list[list[float | None]]:
    """Share of the images of each group (row) that are predicted as a class of each group (column).

    Args:
        confusion: of the test set.
        groups: group name -> class ids; each class is in one of them.

    Returns:
        Fractions; a row of None for a group without a test image.
    """
    group_of = np.zeros(confusion.num_classes, dtype=np.int64)
    for place, ids in enumerate(groups.values()):
        group_of[ids] = place
    table = np.zeros((len(groups), len(groups)), dtype=np.int64)
    np.add.at(table, (group_of[confusion.true], group_of[confusion.predicted]), confusion.images)
    return [[int(cell) / int(row.sum()) if row.any() else None for cell in row] for row in table]


def confused_pairs(confusion: Confusion, most: int = PAIRS) -> list[dict]:
    """The largest cells off the diagonal, the largest first, of equals by class.

    Args:
        confusion: of the test set.
        most: how many pairs.

    Returns:
        Dicts with `true`, `predicted` (class ids), `images`, and `share` of the true class's images, a fraction.
    """
    wrong = np.flatnonzero(confusion.true != confusion.predicted)
    largest = wrong[np.argsort(-confusion.images[wrong], kind='stable')][:most]
    of_class = confusion.by_true()
    pairs = zip(confusion.true[largest], confusion.predicted[largest], confusion.images[largest], strict=True)
    return [
        dict(true=int(true), predicted=int(predicted), images=int(images), share=int(images) / int(of_class[true]))
        for true, predicted, images in pairs
    ]
