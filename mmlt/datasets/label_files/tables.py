"""From a table to paths and labels: one column with them, or a column a class."""

import re
from collections.abc import Sequence
from functools import cache

import numpy as np

from mmlt.datasets.label_files import columns
from mmlt.datasets.label_files.lines import DIGITS
from mmlt.datasets.label_files.marks import set_marks
from mmlt.datasets.label_files.options import Options
from mmlt.datasets.label_files.raw import Raw
from mmlt.datasets.label_files.several import NOTHING, NUMBERS, read_lists, rows_of, take_rows
from mmlt.datasets.label_files.sheet import Sheet
from mmlt.datasets.label_files.table import split_name
from mmlt.errors import UserError, brief

SEPARATORS = ('|', ';', ',')


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
        _one_column(raw, sheet, label, options)
        return raw
    names, raw.notes = columns.class_columns(sheet, options, taken)
    raw.form = f'a table (images {image}, a column a class{said})'
    rows = list(zip(*(sheet.columns[name] for name in names), strict=True))
    set_marks(raw, rows, names, options.classes or names, options)
    return raw


def _one_column(raw: Raw, sheet: Sheet, name: str, options: Options) -> None:
    """Take the labels of one column: one an image, or several where that is asked for or seen."""
    cells = sheet.columns[name]
    rows = sheet.lists.get(name)
    if rows is None and options.several is not False:
        between = SEPARATORS if options.several else SEPARATORS[:1]
        rows = rows_of(cells, options, between, raw.line, lambda text: raw.notes.append(f'in the column {name} {text}'))
    single = rows is not None and options.several is None and options.separator is None and max(map(len, rows)) < 2
    if rows is None or single or options.several is False:
        _one_each(raw, cells, rows, options)
        return
    none = sorted({part.strip() for row in rows for part in row if part.strip().lower() in NOTHING - {''}})
    if none:
        raw.notes.append(f'{" and ".join(map(repr, none))} in the column {name} is no label')
    take_rows(raw, [[part.strip() for part in row if part.strip().lower() not in NOTHING] for row in rows], options)


def _one_each(raw: Raw, cells: Sequence[str], rows: Sequence[Sequence[str]] | None, options: Options) -> None:
    """Take one label an image: a number where all are numbers and not the names of classes themselves, else a text."""
    known = {*(options.classes or ())} if options.labels is None else set()
    if rows is not None or not {*cells} - {''} <= known:
        rows = rows or read_lists(cells, None)
        numbers = all(NUMBERS.fullmatch(cell) or cell.isdecimal() for cell in cells)
        for place, cell in enumerate(cells):
            several = '|' in cell or (numbers and NUMBERS.fullmatch(cell)) if rows is None else len(rows[place]) > 1
            if several and options.separator is None:
                raise UserError(f'{raw.line(place)} has several labels ({brief(cell, 60)!r}), and an image has one here: read '
                                'them with MultiLabelDataset.')  # fmt: skip
        cells = cells if rows is None else [row[0] if row else '' for row in rows]
    if {*cells} - {''} <= known:
        raw.values = cells
        return
    if not (all(cells) and all(map(re.compile(r'\d+(\.0*)?').fullmatch, cells))):
        raw.values = cells
        return
    whole = [cell.partition('.')[0] for cell in cells]
    for place in [place for place, cell in enumerate(whole) if len(cell) > DIGITS][:1]:
        raise UserError(f'{raw.line(place)} has the label {brief(cells[place], 40)}, which is no number of a class.')
    raw.values = np.fromiter(map(int, whole), dtype=np.int64, count=len(whole))
