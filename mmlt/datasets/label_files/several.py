"""Several labels of an image in one text: what parts them, and rows that have a 0 or a 1 for each class."""

import ast
import re
from collections.abc import Callable, Sequence

from mmlt.datasets.label_files.marks import set_marks
from mmlt.datasets.label_files.options import Options
from mmlt.datasets.label_files.raw import Raw
from mmlt.errors import UserError, brief

NOTHING = frozenset(('', '-', 'no finding', 'no findings'))  # labels that say there is none
NUMBER = re.compile(r'-?\d+(?:\.\d*)?')
NUMBERS = re.compile(rf'{NUMBER.pattern}(?:\s+{NUMBER.pattern})+')  # `16 0`
# Of a list as Python, JSON or NumPy write it: a quoted text, a number or one of their words, and what stands behind.
ITEM = re.compile(
    rf"""('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|{NUMBER.pattern}|True|False|true|false|None|null|nan|NaN)(?:\s*,\s*|\s+|$)"""
)
WORDS = {'True': '1', 'true': '1', 'False': '0', 'false': '0'} | dict.fromkeys(('None', 'null', 'nan', 'NaN'), '')


def rows_of(
    cells: Sequence[str], options: Options, between: Sequence[str], line: Callable[[int], str], note: Callable[[str], None]
) -> list[list[str]] | None:
    """The labels of each image; None where the texts look like one label each and nobody asked for several.

    Read as lists (`['Mass', 'Edema']`) where all texts are such; else parted at the separator, and numbers at spaces.

    Args:
        cells: N texts.
        options: `several`, `separator` and `classes`.
        between: marks that may stand between labels; the first that is there is taken.
        line: where an image stands, for messages.
        note: is told what was decided.

    Raises:
        UserError: a text that is no list among lists, or words between which anything could end; the line is named.
    """
    asked, separator, known = options.several is True, options.separator, frozenset(options.classes or ())
    if separator is None:
        said = [cell for cell in cells if cell.lower() not in NOTHING]
        if known and all(cell in known for cell in said):
            return [[cell] for cell in cells] if asked else None
        if (lists := read_lists(cells, line if asked else None)) is not None:
            note('labels are lists in brackets')
            return lists
        separator = next((char for char in between if any(char in cell for cell in said)), None)
        if separator is None and asked and any(' ' in cell and not NUMBERS.fullmatch(cell) for cell in said):
            if all(word in known for cell in said for word in cell.split()):
                note('labels stand between spaces')
                return [cell.split() for cell in cells]
            if not known:
                _refuse_words(cells, line)
        if any(map(NUMBERS.fullmatch, said)) and (asked or all(map(_is_numbers, said))):
            note('numbers stand between spaces')
            parts = [[cell] if separator is None else cell.split(separator) for cell in cells]
            return [[one for part in row for one in (part.split() if _is_numbers(part) else [part])] for row in parts]
        if separator is None and not asked:
            return None
    return [[cell] if separator is None else cell.split(separator) for cell in cells]


def read_lists(cells: Sequence[str], line: Callable[[int], str] | None) -> list[list[str]] | None:
    """The items of lists in brackets; None where the texts are none, or, without `line`, not all of them.

    Raises:
        UserError: some are, and one is not.
    """
    if not any(cell.startswith('[') and cell.endswith(']') for cell in cells):
        return None
    rows = [[] if cell.lower() in NOTHING else _items(cell) for cell in cells]
    if (place := next((place for place, row in enumerate(rows) if row is None), None)) is None:
        return rows
    if line is None:
        return None
    raise UserError(
        f"{line(place)} has {brief(cells[place], 60)!r}, and others are lists as ['Mass', 'Edema']: write it so, or, where "
        "brackets are part of the names, say what stands between labels (separator='|')."
    )


def _items(cell: str) -> list[str] | None:
    if not (cell.startswith('[') and cell.endswith(']')):
        return None
    inner, start, items = cell[1:-1].strip(), 0, []
    while start < len(inner):
        found = ITEM.match(inner, start)
        if found is None:
            return None
        try:
            items.append(ast.literal_eval(found[1]) if found[1][0] in '"\'' else WORDS.get(found[1], found[1]))
        except (SyntaxError, ValueError):  # an escape that is none
            return None
        start = found.end()
    return items


def _is_numbers(text: str) -> bool:
    return bool(NUMBERS.fullmatch(text) or NUMBER.fullmatch(text))


def _refuse_words(cells: Sequence[str], line: Callable[[int], str]) -> None:
    """Refuse texts like `haze primary` beside `primary`: they are words of several labels as soon as names of one."""
    seen: dict[frozenset[str], int] = {}
    for place, cell in enumerate(cells):
        if cell.lower() not in NOTHING:
            words = frozenset(cell.split())
            if cells[seen.setdefault(words, place)] != cell:
                raise _words(cells, place, seen[words], line)
    for words, place in seen.items():
        if other := next((less for word in words if (less := words - {word}) in seen), None):
            raise _words(cells, place, seen[other], line)


def _words(cells: Sequence[str], place: int, other: int, line: Callable[[int], str]) -> UserError:
    return UserError(
        f'{line(place)} has {brief(cells[place], 60)!r}, and {line(other).partition(" of ")[0]} {brief(cells[other], 60)!r}: '
        "say separator=' ' where spaces stand between labels, and separator='|' where each is the name of one."
    )


def take_rows(raw: Raw, rows: Sequence[Sequence[str]], options: Options) -> None:
    """Hand on the labels of each image: as marks where every image has a 0 or a 1 for each class, else as they stand.

    Args:
        raw: the images; `shown` is set, or see `set_marks`.
        rows: N lists of labels, texts.
        options: see `read_labels`.

    Raises:
        UserError: numbers that may be either, or are neither marks nor classes; a line is named.
    """
    raw.shown = rows
    labels = {label for row in rows for label in row}
    if not labels or not all(map(NUMBER.fullmatch, labels)):
        return
    whole = {label: re.sub(r'\.0*$', '', label) for label in labels}
    raw.shown = rows = [[whole[label] for label in row] for row in rows]
    labels = set(whole.values())
    widths = {len(row) for row in rows}
    for place, label in _first(rows, lambda label: not label.isdecimal() and label != '-1'):
        raise UserError(f'{raw.line(place)} has {brief(label)!r}, where labels are numbers of classes from 0, or a 1 (shown) '
                        'or 0 (not) for each class: correct it.')  # fmt: skip
    twice = next((place for place, row in enumerate(rows) if len(set(row)) < len(row)), None)
    if labels <= {'0', '1', '-1'} and (twice is not None or '-1' in labels):
        if len(widths) == 1 and widths != {1}:
            _take_marks(raw, rows, options)
            return
        if twice is not None:
            place = next((place for place, row in enumerate(rows) if len(row) != len(rows[twice])), twice)
            raise UserError(
                f'{raw.line(twice)} has {len(rows[twice])} labels, all of them 0 or 1, and '
                f'{raw.line(place).partition(" of ")[0]} has {len(rows[place])}: give every image a 0 or a 1 for each class, '
                'or name each number of a class once.'
            )
    for place, label in _first(rows, lambda label: label == '-1'):
        raise UserError(f'{raw.line(place)} has the label {label}, and numbers of classes count from 0: correct it.')
    if len(widths) == 1 and 2 * sum(len(set(row)) < len(row) for row in rows) > len(rows):  # counts, or grades
        label = next(label for label in rows[twice] if rows[twice].count(label) > 1)
        raise UserError(f'{raw.line(twice)} names the label {label} twice, and every image has {len(rows[twice])}: a number a '
                        'class must be 1 (shown) or 0 (not), and a number of a class stand once.')  # fmt: skip
    if labels == {'0', '1'} and widths == {2} and len(set(map(tuple, rows))) == 2:
        raise UserError(
            f'{raw.line(0)} has the labels {" ".join(rows[0])}, and every image has 0 and 1, in one order or the other, which '
            'may be classes or marks: give a table with a column a class, or the numbers of the classes in rising order.'
        )


def _first(rows: Sequence[Sequence[str]], is_such: Callable[[str], bool]) -> list[tuple[int, str]]:
    return [(place, label) for place, row in enumerate(rows) for label in row if is_such(label)][:1]


def _take_marks(raw: Raw, rows: Sequence[Sequence[str]], options: Options) -> None:
    width, given = len(rows[0]), raw.classes or options.classes
    names = list(given or map(str, range(width)))
    if len(names) != width:
        raise UserError(f'{raw.line(0)} has {width} numbers, as if each were the 1 (shown) or 0 (not) of a class, and there '
                        f'are {len(names)} classes: give one for each, or correct `classes`.')  # fmt: skip
    told = '' if given else '; `classes` names them'
    raw.notes.append(f'each image has a 0 or a 1 for each of {width} classes, in their order{told}')
    raw.shown = None
    set_marks(raw, rows, names, names, options)
