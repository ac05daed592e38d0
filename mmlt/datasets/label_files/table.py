"""What a file or folder with labels says, whatever its form."""

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from mmlt.datasets.labels import count_labels
from mmlt.datasets.paths import Paths
from mmlt.errors import UserError

SPLIT_NAMES = {
    'train': 'train', 'training': 'train', 'trn': 'train',
    'val': 'val', 'valid': 'val', 'validation': 'val', 'dev': 'val',
    'test': 'test', 'testing': 'test', 'tst': 'test',
}  # fmt: skip


def split_name(text: str) -> str:
    """`train`, `val` or `test` for what people call them; any other text as it is."""
    return SPLIT_NAMES.get(text.strip().lower(), text.strip())


@dataclass(frozen=True)
class LabelTable:
    """Images and their labels.

    Args:
        source: the file or folder that says so.
        root: folder that the paths start from.
        paths: of the N images below `root`.
        labels: (N,) int64 in [0, K); or float32 (N, K) of 0 and 1 where an image has any number of labels.
        classes: K names.
        form: what kind of file it is, in words: `a table (columns image_id, dx)`.
        splits: (N,) texts, `train`, `val`, `test` or what the file calls them; None where it names none.
        groups: (N,) int64, equal for images that belong together (a patient, a lesion); None where the file does not say.
        group_name: the column that says so.
        lines: (N,) int64, the line (from 1), or the entry of a JSON file, that names each image; None for folders.
        line_word: what `lines` counts: `line` or `entry`.
        notes: what was decided in reading it, each in words for a person.
        left_out: what the file names and is no part of the table, how often: `{'images without a label': 2}`.
        other_kinds: of folders, how many files that are no images have which extension: `{'.heic': 30}`.
    """

    source: Path
    root: Path
    paths: Paths
    labels: np.ndarray
    classes: tuple[str, ...]
    form: str
    splits: np.ndarray | None = None
    groups: np.ndarray | None = None
    group_name: str | None = None
    lines: np.ndarray | None = None
    line_word: str = 'line'
    notes: tuple[str, ...] = ()
    left_out: dict[str, int] = field(default_factory=dict)
    other_kinds: dict[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.paths)

    @property
    def several(self) -> bool:
        """Whether an image may have any number of labels."""
        return self.labels.ndim == 2

    @property
    def class_counts(self) -> list[int]:
        """Images of each class."""
        return count_labels(self.labels, len(self.classes))

    def where(self, place: int) -> str:
        """Where an image is named, for messages: ` (line 3 of list.txt)`; empty for folders."""
        return '' if self.lines is None else f' ({self.line_word} {self.lines[place]} of {self.source})'

    def take(self, places: np.ndarray) -> 'LabelTable':
        """The images at some places, in their order, of the same classes.

        Args:
            places: (M,) int64, or (N,) bool.
        """
        places = np.arange(len(self))[places]
        parts = {key: None if (own := getattr(self, key)) is None else own[places] for key in ('splits', 'groups', 'lines')}
        return replace(self, paths=self.paths[places], labels=self.labels[places], **parts)

    def split_counts(self) -> dict[str, int]:
        """Images of each split, `train`, `val` and `test` first; empty where the file names none."""
        if self.splits is None:
            return {}
        names, counts = np.unique(self.splits, return_counts=True)
        found = dict(zip(names.tolist(), counts.tolist(), strict=True))
        known = [name for name in ('train', 'val', 'test') if name in found]
        return {name: found[name] for name in dict.fromkeys([*known, *found])}

    def of_split(self, split: str) -> 'LabelTable':
        """The images of one split; `all` gives every image.

        Raises:
            UserError: the file names no split, or not this one.
        """
        if split == 'all':
            return self
        found = self.split_counts()
        if not found:
            raise UserError(
                f'{self.source} says of no image whether it is for training or for testing, so there is no split {split!r}: '
                "leave split out, name the column that says it (split_column='...'), or set a part aside (holdout=dict(...))."
            )
        wanted = split_name(split)
        if wanted not in found:
            raise UserError(f'{self.source} has no split {split!r}; it has {spelled(found)}: correct split.')
        return self.take(self.splits == wanted)


def spelled(counts: dict[str, int]) -> str:
    """Numbers by name, in words: `train (30), test (12)`."""
    return ', '.join(f'{name} ({count:,})' for name, count in counts.items())
