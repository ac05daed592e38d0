"""Data sets of one's own images: what a `LabelTable` names, or a part of it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmlt.datasets.holdout import HOLDOUT, Holdout
from mmlt.datasets.label_files import LabelTable
from mmlt.datasets.label_files.table import spelled, split_name
from mmlt.datasets.scaling import CROP_AREA, Area
from mmlt.datasets.streaming import StreamingDataset
from mmlt.errors import UserError


class TableDataset(StreamingDataset):
    """Base of the data sets of one's own images.

    Args:
        table: the images of `split`.
        name: of the data set; None for the name of the file or folder.
        split: that was asked for.
        holdout: `dict(part=..., fraction=0.1, seed=0)`, see `Holdout`; None for all images.
        image_size, resize, crop, crop_seed, check, on_broken, max_value, backend, pack, crop_area: see `StreamingDataset`.

    Attributes:
        table: the images, those of the part.
        split: `holdout` for images that are kept from training to choose and to tune on: a part set aside, or a split for
            validation; else the split asked for, None where none was.
        holdout: the `Holdout`, or None.
        whole: the `LabelTable` of the split, before a part of it was taken.
        notes: how the file was read, in words.

    Raises:
        UserError: the file has splits and none was asked for.
    """

    def __init__(
        self,
        table: LabelTable,
        name: str | None,
        split: str | None,
        holdout: Mapping[str, Any] | None,
        image_size: int,
        resize: int | None,
        crop: str,
        crop_seed: int,
        check: str,
        on_broken: str,
        max_value: float | None,
        backend: str = 'opencv',
        pack: str | Path | None = None,
        crop_area: Area | Sequence[Area] = CROP_AREA,
    ) -> None:
        if split is None and len(counts := table.split_counts()) > 1:
            raise UserError(
                f"{table.source} has images of several splits, {spelled(counts)}: choose one (split='{next(iter(counts))}'), "
                "or take them all (split='all')."
            )
        self.holdout = None if holdout is None else Holdout.of(holdout)
        found = [f'{table.source.name} is read as {table.form}'] if '(' in table.form else []  # what was found is said
        notes = [*found, *table.notes]
        self.whole = table
        if self.holdout:
            before = len(table)
            table = table.take(self.holdout.places(table.labels, table.groups, len(table.classes)))
            notes.append(self.holdout.told(len(table), before, table.group_name))
        self.table, self.notes = table, tuple(notes)
        self.split = HOLDOUT if self.holdout and self.holdout.part == HOLDOUT else split and split_name(split)
        if self.split == 'val':
            self.split = HOLDOUT
        if name is None:
            name = table.source.resolve().name if table.lines is None else table.source.name.partition('.')[0]
        self._how = dict(
            image_size=image_size, resize=resize, crop=crop, crop_seed=crop_seed, check=check, on_broken=on_broken,
            max_value=max_value, backend=backend, pack=pack, crop_area=crop_area,
        )  # fmt: skip
        super().__init__(name, table.root, table.paths, table.labels, table.classes, **self._how)
        self.skipped = {**table.left_out, **self.skipped}

    def where(self, place: int) -> str:
        """The line that names the image."""
        return self.table.where(self.places[place])

    def set_aside(self) -> 'TableDataset':
        """The images that `holdout` set aside from this set, looked at as test images are.

        Raises:
            UserError: it sets none aside, or is the part set aside.
        """
        if self.holdout is None or self.holdout.part == HOLDOUT:
            raise UserError(f"{self.name} sets no image aside: set holdout=dict(part='train', fraction=0.1) of the data set.")
        other = type(self).__new__(type(self))
        aside = {**self.holdout.record(), 'part': HOLDOUT}
        TableDataset.__init__(other, self.whole, self.name, self.split, aside, **{**self._how, 'crop': 'center'})
        return other

    def fingerprint(self) -> dict:
        """See `StreamingDataset.fingerprint`; `holdout` says what was set aside, if anything was."""
        said = super().fingerprint()
        return said if self.holdout is None else {**said, 'holdout': self.holdout.record()}


def find_list(root: Path, ann_file: Path) -> Path:
    """The file with the labels: the path as it stands, or below `root`.

    Raises:
        UserError: there is none.
    """
    for path in (ann_file, root / ann_file):
        if path.is_file():
            return path
    raise UserError(f'there is no annotation list {ann_file}, nor {root / ann_file}: correct ann_file.')
