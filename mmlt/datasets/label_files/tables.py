"""From a table to paths and labels: one column with them, or a column a class."""

import re
from collections.abc import Sequence
from functools import cache

import numpy as np

from mmlt.datasets.label_files import columns
from mmlt.datasets.label_files.lines import DIGITS
from mmlt.datasets.label_files.options import Options
from mmlt.datasets.label_files.raw import Raw
from mmlt.datasets.label_files.sheet import Sheet
from mmlt.datasets.label_files.table import split_name
from mmlt.errors import UserError, brief

NOTHING = frozenset(('', '-', 'no finding', 'no findings'))  # labels that say there is none
SEPARATORS = ('|', ';', ',')
VALUES = {'1': 1.0, '1.0': 1.0, '0': 0.0, '0.0': 0.0, '-1': -1.0, '-1.0': -1.0, '': np.nan}
RULES = {'zeros': 'read as 0 (not shown)', 'ones': 'read as 1 (shown)', 'leave_out': 'left out with their images'}


def read_table(sheet: Sheet, options: Options) -> Raw:
    """Take the columns of a table for what they are.

    Args:
        sheet: the table.
        options: see `read_labels`.

    Raises:
        UserError: a column cannot be told or is not there, or a cell holds something else; its line is named.
    """
    image = columns.image_column(sheet, options)
    split = columns.split_column(sheet, options, [image])
    group = columns.group_column(sheet, options, [name for name in (image, split) if name])
    taken = [name for name in (image, split, group) if name]
    label = columns.label_column(sheet, options, taken)
    said = ''.join(f', {what} {name}' for what, name in (('split', split), ('groups', group)) if name)
    raw = Raw(
        sheet.file, '', sheet.columns[image], sheet.numbers, line_word=sheet.line_word, group_name=group,
        splits=None if split is None else list(map(cache(split_name), sheet.columns[split])),
        groups=None if group is None else sheet.columns[group],
    )  # fmt: skip
    for place in [place for place, path in enumerate(raw.paths) if not path][:1]:
        raise UserError(f'{raw.line(place)} names no image in the column {brief(image)!r}: correct it, or image_column.')
    if label is not None:
        raw.form = f'a table (images {image}, labels {label}{said})'
        _one_column(raw, sheet.columns[label], label, options)
        return raw
    names, raw.notes = columns.class_columns(sheet, options, taken)
    raw.form = f'a table (images {image}, a column a class{said})'
    raw.classes = options.classes or names
    hot = np.array([[VALUES.get(cell, 2.0) for cell in sheet.columns[name]] for name in names]).T
    for place, k in np.argwhere(hot == 2)[:1]:
        raise _not_a_mark(raw, place, names[k], sheet.columns[names[k]][place])
    raw.hot, raw.denies = hot, True
    _settle(raw, names, options)
    return raw


def _one_column(raw: Raw, cells: Sequence[str], name: str, options: Options) -> None:
    separator = options.separator
    if separator is None and options.several is not False:
        looked = SEPARATORS if options.several else SEPARATORS[:1]
        separator = next((char for char in looked if any(char in cell for cell in cells)), None)
    if options.several or (options.several is None and separator):
        parts = [[cell] if separator is None else cell.split(separator) for cell in cells]
        raw.shown = [[part.strip() for part in row if part.strip().lower() not in NOTHING] for row in parts]
        none = sorted({part.strip() for row in parts for part in row if part.strip().lower() in NOTHING - {''}})
        if none:
            raw.notes.append(f'{" and ".join(map(repr, none))} in the column {name} is no label')
        return
    if separator is None and (parted := [place for place, cell in enumerate(cells) if '|' in cell]):
        raise UserError(
            f'{raw.line(parted[0])} has several labels ({brief(cells[parted[0]], 60)!r}), and an image has one here: read them '
            'with MultiLabelDataset.'
        )
    if all(re.fullmatch(r'\d+(\.0*)?', cell) for cell in cells if cell) and all(cells):
        whole = [cell.partition('.')[0] for cell in cells]
        for place in [place for place, cell in enumerate(whole) if len(cell) > DIGITS][:1]:
            raise UserError(f'{raw.line(place)} has the label {brief(cells[place], 40)}, which is no number of a class.')
        raw.values = np.fromiter(map(int, whole), dtype=np.int64, count=len(whole))
    else:
        raw.values = cells


def _settle(raw: Raw, names: Sequence[str], options: Options) -> None:
    """Apply the rules for uncertain and blank cells, and say so."""
    kept = np.ones(len(raw.hot), dtype=bool)
    for which, rule, what in (
        (raw.hot == -1, options.uncertain, 'uncertain'), (np.isnan(raw.hot), options.blank, 'blank')
    ):  # fmt: skip
        if not which.any():
            continue
        if rule is None:
            place, k = np.argwhere(which)[0]
            raise _not_a_mark(raw, place, names[k], '-1' if what == 'uncertain' else '')
        raw.notes.append(f'{int(which.sum()):,} {what} cells of {len(raw.hot):,} x {len(names)} are {RULES[rule]}')
        if rule == 'leave_out':
            kept &= ~which.any(axis=1)
            raw.left_out[f'images with {what} labels'] = int(which.any(axis=1).sum())
        else:
            raw.hot[which] = float(rule == 'ones')
    raw.hot = raw.hot.astype(np.float32)
    if kept.all():
        return
    if not kept.any():
        raise UserError(f"{raw.source}: 'leave_out' leaves no image: choose zeros or ones for uncertain or blank.")
    places = np.flatnonzero(kept)
    raw.hot, raw.numbers = raw.hot[places], raw.numbers[places]
    for key in ('paths', 'splits', 'groups'):
        own = getattr(raw, key)
        setattr(raw, key, None if own is None else [own[place] for place in places])


def _not_a_mark(raw: Raw, place: int, name: str, cell: str) -> UserError:
    which = {'-1': 'uncertain', '': 'blank'}.get(cell.partition('.')[0])
    if which is None:
        advice = 'correct it, or name the columns of the classes in `classes`'
    else:
        what = 'an uncertain' if which == 'uncertain' else 'a missing'
        advice = f"decide what {what} label is: {which}='zeros', 'ones' or 'leave_out'"
    return UserError(
        f'{raw.line(place)} has {brief(cell)!r} for {brief(name)!r}, where 1 (shown) or 0 (not) must stand: {advice}.'
    )
