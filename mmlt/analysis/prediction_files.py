"""Predictions of many pictures as they come: a line each in a CSV file, and what the summary and the page need of them."""

import csv
import heapq
import io
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mmlt.analysis.prediction import Classes, Prediction

FIRST = 'image'  # a data set reads these files too, by its columns image and label; one called `group` would be a patient's
LAST = 'problem'
PART = '.part'
OF_A_CLASS = 4  # most certain pictures kept of a class


def columns_of(classes: Classes, top: int) -> list[str]:
    """The header: of one label a picture its `top` classes, of several the probability of each class."""
    if classes.cuts is not None:
        return [FIRST, 'labels', 'certainty', 'shot_groups', *classes.names, LAST]
    more = [f'{word}_{rank}' for rank in range(2, min(top, len(classes.names)) + 1) for word in ('label', 'probability')]
    return [FIRST, 'label', 'probability', 'shot_group', *more, LAST]


def line_of(prediction: Prediction, top: int) -> list[str]:
    """The cells of one picture; empty but for the first and the last where it cannot be read."""
    width = len(columns_of(prediction.classes, top))
    if prediction.probabilities is None:
        return [prediction.picture, *[''] * (width - 2), prediction.problem or '']
    own = [prediction.picture, prediction.label, f'{prediction.probability:.6f}', prediction.group]
    if prediction.classes.cuts is not None:
        return [*own, *(f'{value:.6f}' for value in prediction.probabilities), '']
    more = [cell for name, value in prediction.top(top)[1:] for cell in (name, f'{value:.6f}')]
    return [*own, *more, '']


class CsvLines:
    """A CSV file that grows batch by batch; under another name until it is whole, so that what is done outlives a kill.

    Args:
        path: of the file.
        classes: of the model.
        top: classes a picture.
    """

    def __init__(self, path: str | Path, classes: Classes, top: int) -> None:
        self.path, self.top = Path(path), top
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.part = self.path.with_name(self.path.name + PART)
        self._file = open(self.part, 'w', encoding='utf-8', errors='surrogateescape', newline='')
        self._writer = csv.writer(self._file, lineterminator='\n')
        self._writer.writerow(columns_of(classes, top))

    def add(self, prediction: Prediction) -> None:
        """Write a line."""
        self._writer.writerow(line_of(prediction, self.top))

    def finish(self) -> None:
        """Give the file its name."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        os.replace(self.part, self.path)

    def abandon(self) -> None:
        """Leave what is written under the other name."""
        self._file.close()


@contextmanager
def csv_lines(path: str | Path | None, classes: Classes, top: int) -> Iterator[CsvLines | None]:
    """A file for the lines, whole at the end; None where no path is given."""
    if path is None:
        yield None
        return
    lines = CsvLines(path, classes, top)
    try:
        yield lines
    except BaseException:
        lines.abandon()
        raise
    lines.finish()


def is_predictions(path: Path) -> bool:
    """Whether a file is one that `CsvLines` wrote."""
    try:
        with open(path, encoding='utf-8', errors='surrogateescape', newline='') as file:
            header = next(csv.reader(io.StringIO(file.readline())), [])
    except (OSError, csv.Error):
        return False
    return header[:1] == [FIRST] and header[1:2] in (['label'], ['labels']) and header[-1:] == [LAST]


class Extreme(NamedTuple):
    """One of the most or least certain pictures; ordered by certainty, then by the order of the pictures."""

    key: tuple[float, int]
    prediction: Prediction


class Tally:
    """What is kept of all predictions: a few numbers a class, and the most and least certain pictures.

    Args:
        classes: of the model.
        most: pictures shown of either kind.

    Attributes:
        read: pictures that could be read.
        images: (K,) how often each class was predicted.
        expected: (K,) sum of its probabilities over all pictures.
        broken: path and problem of each picture that could not be read.
    """

    def __init__(self, classes: Classes, most: int = 24) -> None:
        self.classes, self.most = classes, most
        self.read = 0
        self.images = [0] * len(classes.names)
        self.expected = np.zeros(len(classes.names))
        self.broken: list[tuple[str, str]] = []
        self._surest: dict[int | None, list[Extreme]] = {}  # of each class: a frequent one would fill the page
        self._vaguest: list[Extreme] = []

    def add(self, prediction: Prediction) -> None:
        """Count one in."""
        if prediction.probabilities is None:
            self.broken.append((prediction.picture, prediction.problem or ''))
            return
        self.read += 1
        for place in prediction.places:
            self.images[place] += 1
        self.expected += prediction.probabilities
        certainty, first = prediction.probability, next(iter(prediction.places), None)
        self._keep(self._vaguest, -certainty, prediction, self.most)
        self._keep(self._surest.setdefault(first, []), certainty, prediction, OF_A_CLASS)

    def _keep(self, heap: list[Extreme], value: float, prediction: Prediction, most: int) -> None:
        entry = Extreme((value, -self.read), prediction)
        if len(heap) < most:
            heapq.heappush(heap, entry)
        elif entry > heap[0]:
            heapq.heapreplace(heap, entry)

    @property
    def most_certain(self) -> list[Prediction]:
        """The surest of each class, class by class in their order; of many classes those that are surest of all."""
        share = max(1, min(OF_A_CLASS, self.most // max(1, len(self._surest))))
        kept = [entry for heap in self._surest.values() for entry in sorted(heap, reverse=True)[:share]]
        kept = sorted(kept, reverse=True)[: self.most]
        place = {id(entry): -1 if first is None else first for first, heap in self._surest.items() for entry in heap}
        return [entry.prediction for entry in sorted(kept, key=lambda entry: place[id(entry)])]

    @property
    def least_certain(self) -> list[Prediction]:
        """The least sure first."""
        return [entry.prediction for entry in sorted(self._vaguest, reverse=True)]

    def predicted(self) -> Sequence[int]:
        """The classes that were predicted, the most frequent first."""
        found = [place for place, images in enumerate(self.images) if images]
        return sorted(found, key=lambda place: (-self.images[place], place))
