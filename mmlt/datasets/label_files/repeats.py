"""Images that a file names more than once: each is one image."""

from dataclasses import replace

import numpy as np

from mmlt.datasets.label_files.table import LabelTable
from mmlt.errors import UserError, brief

AGAIN = 'images named again'


def once(table: LabelTable, several: bool | None, apart: bool, denies: bool) -> LabelTable:
    """Each image once, at the place where it is named first.

    Of several labels it has those of all its lines. With one label, lines that agree count once; lines that do not are refused,
    or stay where nobody has said that an image has one label, for `diagnose` tells them.

    Args:
        table: the images of a file.
        several: whether an image may have any number of labels; None where nobody said.
        apart: an image of two splits is one of each.
        denies: lines say of each class whether it is shown, so they can contradict one another with several labels too.

    Raises:
        UserError: lines contradict one another; two of them are named.
    """
    hashes = np.fromiter(map(hash, table.paths), dtype=np.int64, count=len(table))  # a long list's texts are never all there
    if len(np.unique(hashes)) == len(hashes):
        return table
    keys = list(table.paths)
    if apart and table.splits is not None:
        keys = list(zip(keys, table.splits.tolist(), strict=True))
    place_of: dict[object, int] = {}
    first = np.fromiter((place_of.setdefault(key, place) for place, key in enumerate(keys)), dtype=np.int64, count=len(keys))
    again = np.flatnonzero(first < np.arange(len(keys)))
    if not len(again):
        return table
    if table.groups is not None:
        for place in again[table.groups[again] != table.groups[first[again]]][:1]:
            raise UserError(f'{_line(table, place)} puts {brief(table.paths[place])} into another {table.group_name} than '
                            f'{_line(table, first[place])}: correct one of them.')  # fmt: skip
    differ = table.labels[again] != table.labels[first[again]]
    other = again[differ if differ.ndim == 1 else differ.any(axis=1)]
    if len(other) and (denies if table.several else several is False):
        raise _contradiction(table, int(other[0]), int(first[other[0]]))
    lines = 'lines' if table.line_word == 'line' else 'entries'
    labels, left_out, note = table.labels, table.left_out, None
    if table.several:
        labels = labels.copy()
        np.maximum.at(labels, first[again], table.labels[again])
        note = f'{len(again):,} of {len(keys):,} {lines} name an image again: it has the labels of all its {lines}'
    else:
        if len(other):
            note = f'{len(other):,} of {len(keys):,} {lines} give an image another label than one before: images with any '\
                   'number of labels are read by several'  # fmt: skip
            again = np.setdiff1d(again, other)
        left_out = {**left_out, AGAIN: len(again)} if len(again) else left_out
    notes = table.notes if note is None else (*table.notes, note)
    kept = np.ones(len(keys), dtype=bool)
    kept[again] = False
    return replace(table, labels=labels, notes=notes, left_out=left_out).take(kept)


def _line(table: LabelTable, place: int) -> str:
    return f'{table.line_word} {table.lines[place]} of {table.source}'


def _contradiction(table: LabelTable, place: int, before: int) -> UserError:
    image, where = brief(table.paths[place]), f'{table.line_word} {table.lines[before]}'
    if table.several:
        k = int(np.flatnonzero(table.labels[place] != table.labels[before])[0])
        says = [f'{brief(table.classes[k])}={table.labels[row, k]:g}' for row in (place, before)]
        return UserError(f'{_line(table, place)} says {says[0]} of {image}, and {where} {says[1]}: correct one of them.')
    new, old = (brief(repr(table.classes[table.labels[row]])) for row in (place, before))
    return UserError(
        f'{_line(table, place)} gives {image} the label {new}, and {where} {old}, and an image has one here: correct one of '
        'them, or read them with MultiLabelDataset.'
    )
