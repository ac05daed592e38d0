"""The lists beside a starting config: the images of the run and how they are read, and the images that are left out."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mmlt.analysis.diagnosis.findings import Diagnosis
from mmlt.analysis.diagnosis.plan import Plan


@dataclass(frozen=True)
class Columns:
    """The header of the list of images.

    Args:
        image, split: its columns.
        label: the column of the labels; None where each class has a column.
        group: the column of what belongs together; None where each image is by itself.
        by_place: labels are places among the classes, since a table does not give some name back as it is.
    """

    image: str
    label: str | None
    split: str
    group: str | None
    by_place: bool

    @classmethod
    def of(cls, plan: Plan, names: Sequence[str], several: bool) -> 'Columns':
        """For a plan.

        Args:
            plan: of the images.
            names: of the classes that are trained on.
            several: whether images have several labels; then classes are columns, and no other column is called as one is.
        """

        def free(name: str) -> str:
            while several and name in names:
                name += '_'
            return name

        by_place = not several and any(name != name.strip() or len(name.splitlines()) > 1 for name in names)
        group = None if plan.group is None else free('group')
        return cls(free('image'), None if several else 'label', free('split'), group, by_place)

    def options(self) -> str:
        """The arguments of a data set in a config that say so."""
        named = dict(image_column=self.image, label_column=self.label, split_column=self.split, group_column=self.group)
        said = [f'{option}={name!r}' for option, name in named.items() if name]
        return ', '.join([*said, *(['labels=list(range(num_classes))'] if self.by_place else [])])


def images_csv(diagnosis: Diagnosis, plan: Plan) -> str:
    """The images of the plan as a table: image, label or a column a class, split, and what belongs together."""
    table, stream = diagnosis.table, io.StringIO()
    writer = csv.writer(stream, lineterminator='\n')
    names = [table.classes[k] for k in plan.classes]
    columns = Columns.of(plan, names, diagnosis.several)
    header = [columns.image, *(names if diagnosis.several else [columns.label]), columns.split]
    writer.writerow([*header, *([columns.group] if columns.group else [])])
    for place in np.flatnonzero(plan.split != '').tolist():
        label, path = table.labels[place], table.paths[place]
        if diagnosis.several:
            shown = label[plan.classes].astype(int).tolist()
        else:
            shown = [int(np.searchsorted(plan.classes, label)) if columns.by_place else table.classes[int(label)]]
        path = f'./{path}' if path[0].isspace() else path  # spaces around a cell are nothing
        writer.writerow([path, *shown, plan.split[place], *([plan.group[place]] if columns.group else [])])
    return stream.getvalue()


def left_out_csv(diagnosis: Diagnosis, plan: Plan) -> str:
    """The images that are left out as a table: image, label, split, reason."""
    table, stream = diagnosis.table, io.StringIO()
    writer = csv.writer(stream, lineterminator='\n')
    writer.writerow(['image', 'label', 'split', 'reason'])
    for place in sorted(plan.reasons):
        split = '' if table.splits is None else table.splits[place]
        writer.writerow([table.paths[place], diagnosis.label_text(place), split, plan.reasons[place]])
    return stream.getvalue()
