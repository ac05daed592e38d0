"""What a reader of one form hands on: paths and labels as they stand in the file, before anything is made of them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np


@dataclass
class Raw:
    """An image a place; labels of one of three kinds.

    Args:
        source: the file.
        form: what kind of file it is, in words.
        paths: N texts as they stand in the file, backslashes turned.
        numbers: (N,) of their lines or entries, from 1; None for folders.
        values: N labels, one an image: int64 (N,) where all are whole numbers, or N texts. An empty text is no label.
        shown: N lists of labels, any number an image, texts.
        hot: float32 (N, K), 1 shown, 0 not.
        denies: a 0 in `hot` stands in the file, and is not what it is silent about.
        classes: names that the file gives, in the order of the labels; with `values` as numbers, those of 0, 1, ...
        splits: N texts.
        groups: N texts.
        group_name: the column of `groups`.
        line_word: what `numbers` counts.
        notes: what was decided.
        left_out: what is not taken, how often.
    """

    source: Path
    form: str
    paths: Sequence[str]
    numbers: np.ndarray | None
    values: np.ndarray | Sequence[str] | None = None
    shown: Sequence[Sequence[str]] | None = None
    hot: np.ndarray | None = None
    denies: bool = False
    classes: Sequence[str] | None = None
    splits: Sequence[str] | None = None
    groups: Sequence[str] | None = None
    group_name: str | None = None
    line_word: str = 'line'
    notes: list[str] = field(default_factory=list)
    left_out: dict[str, int] = field(default_factory=dict)

    def line(self, place: int) -> str:
        """Where an image stands, for the beginning of a message: `line 3 of list.txt`."""
        return f'{self.line_word} {self.numbers[place]} of {self.source}'
