"""Which column of a table is which: by the names and the contents that public tables have."""

import re
from collections.abc import Sequence

from mmlt.datasets.class_folders import is_image
from mmlt.datasets.label_files.options import Options
from mmlt.datasets.label_files.sheet import Sheet
from mmlt.datasets.label_files.table import SPLIT_NAMES
from mmlt.errors import UserError, brief
from mmlt.priors import GROUPS as SHOT_GROUPS

# As compared: lower case, letters and digits alone. The first that a table has is taken.
IMAGES = (
    'path', 'filepath', 'imagepath', 'imgpath', 'filename', 'file', 'imagefile', 'image', 'imageid', 'imageindex',
    'imagename', 'img', 'imgid', 'imgname', 'isicid', 'photo', 'photoid', 'picture', 'id', 'name',
)  # fmt: skip
LABELS = (
    'label', 'labels', 'class', 'classname', 'classid', 'classes', 'category', 'categoryname', 'categoryid', 'target', 'dx',
    'diagnosis', 'findinglabels', 'findings', 'species', 'tags', 'labelname', 'labelid', 'gtlabel', 'y',
)  # fmt: skip
SPLITS = ('split', 'subset', 'partition', 'set', 'usage', 'phase')
GROUPS = (
    'lesionid', 'patientid', 'patient', 'subjectid', 'subject', 'caseid', 'individualid', 'individual', 'groupid', 'group',
    'sequenceid', 'seqid', 'burstid', 'videoid', 'video', 'trackid', 'studyid',
)  # fmt: skip
CELLS = frozenset(('0', '1', '0.0', '1.0', '-1', '-1.0', ''))  # of a column for one class
MARKS = CELLS - {''}
LISTED = 8  # columns named in a note
SAMPLE = 1000  # cells of a column that are looked at to tell whether it holds files


def plain_name(name: str) -> str:
    """A header as it is compared: `Patient ID` is `patientid`."""
    return re.sub(r'[^a-z0-9]', '', name.lower())


def by_name(sheet: Sheet, known: Sequence[str], taken: Sequence[str] = ()) -> list[str]:
    """The columns that are called as one of these, in the order of these."""
    own = {}
    for name in sheet.header:
        if name not in taken:
            own.setdefault(plain_name(name), name)
    return [own[name] for name in known if name in own]


def image_column(sheet: Sheet, options: Options) -> str:
    """The column with the images.

    Raises:
        UserError: none can be told.
    """
    if options.image_column:
        return sheet.wanted(options.image_column, 'image_column')
    others = {sheet.named(name) for name in options.columns.values()}
    named = [name for name in by_name(sheet, IMAGES) if name not in others]
    files = [name for name in sheet.header if name not in others and _mostly(sheet.columns[name], is_image)]
    both = [name for name in named if name in files]
    # Files before identifiers: of HAM10000's columns only `image_id` is called so, of GTSRB's `Path` holds the files.
    for found in (both, named if not files else [], files, [] if options.several is not True else sheet.header):
        if found:
            return found[0]
    raise UserError(f'{sheet.file}: no column is known to hold the images; {sheet.has()}: name it in image_column.')


def split_column(sheet: Sheet, options: Options, taken: Sequence[str]) -> str | None:
    """The column that says what an image is for: the one named, or one that holds nothing but the usual words."""
    if options.split_column:
        return sheet.wanted(options.split_column, 'split_column')
    for name in by_name(sheet, SPLITS, taken):
        if {cell.lower() for cell in sheet.columns[name]} <= SPLIT_NAMES.keys():
            return name
    return None


def group_column(sheet: Sheet, options: Options, taken: Sequence[str]) -> str | None:
    """The column that says which images belong together: the one named, or one called as such columns are."""
    if options.group_column:
        return sheet.wanted(options.group_column, 'group_column')
    found = [name for name in by_name(sheet, GROUPS, taken) if any(sheet.columns[name])]
    return next((name for name in found if not {*sheet.columns[name]} <= {*SHOT_GROUPS, ''}), None)


def label_column(sheet: Sheet, options: Options, taken: Sequence[str]) -> str | None:
    """The one column with the labels, where there is one."""
    if options.label_column:
        return sheet.wanted(options.label_column, 'label_column')
    if options.classes and all(sheet.named(name) for name in options.classes):
        return None  # each class has a column of its own
    found = [name for name in by_name(sheet, LABELS, taken) if any(sheet.columns[name])]
    texts = [name for name in found if not all(cell in CELLS for cell in sheet.columns[name])]
    if options.several is not True:
        # Of a name and its number (`class_name`, `class_id`) the name.
        names = [name for name in texts if not all(_is_number(cell) for cell in sheet.columns[name])]
        return next(iter(names or found), None)
    return next(iter(texts), None)


def class_columns(sheet: Sheet, options: Options, taken: Sequence[str]) -> tuple[list[str], list[str]]:
    """The columns of the classes, in their order, and notes; a class has 1 (shown), 0 (not), -1 (uncertain) or nothing.

    Raises:
        UserError: one named in `classes` is not there, or none looks like a class.
    """
    if options.classes:
        return [sheet.wanted(name, 'classes') for name in options.classes], []
    found, aside, empty = [], [], []
    for name, cells in sheet.columns.items():
        if name in taken:
            continue
        said = [cell for cell in cells if cell]
        if not said:
            empty.append(name)
        elif 2 * sum(cell in MARKS for cell in said) > len(said):
            found.append(name)
        else:
            aside.append(name)
    if not found and not options.several:
        raise UserError(
            f'{sheet.file}: no column is known to hold the labels; {sheet.has()}: name it in label_column, or, where each '
            'class has a column of 0 and 1, the classes in `classes`.'
        )
    if not found:
        raise UserError(
            f'{sheet.file}: no column holds 1 (shown) and 0 (not) for a class; {sheet.has()}: name the column of the labels '
            'in label_column, or the columns of the classes in `classes`.'
        )
    notes = [f'columns that are empty are no classes: {_some(empty)}'] if empty else []
    if aside:
        notes.append(f'columns without 0 and 1 are no classes: {_some(aside)}')
    return found, notes


def _mostly(cells: Sequence[str], what) -> bool:  # noqa: ANN001
    some = cells[:: max(1, len(cells) // SAMPLE)]
    return 2 * sum(map(what, some)) > len(some)


def _is_number(cell: str) -> bool:
    return bool(re.fullmatch(r'\d+(\.0*)?', cell))


def _some(names: Sequence[str]) -> str:
    return ', '.join(map(brief, names[:LISTED])) + (f' and {len(names) - LISTED} more' if len(names) > LISTED else '')
