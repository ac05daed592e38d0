"""Which class each label of a file is: numbers, names, or several of them."""

from collections.abc import Sequence

import numpy as np

from mmlt.datasets.class_folders import folder_of_each_class
from mmlt.datasets.label_files.lines import DIGITS
from mmlt.datasets.label_files.options import MOST_CLASSES, Options
from mmlt.datasets.label_files.raw import Raw
from mmlt.errors import UserError, brief

FEW = 10_000  # so many classes a short list may have without naming an image of each
UNLABELLED = -1


def labels_of(raw: Raw, options: Options) -> tuple[np.ndarray, list[str]]:
    """The labels and the names of the classes.

    Args:
        raw: what the file says.
        options: `classes`, `num_classes` and `labels` of `read_labels`.

    Returns:
        (N,) int64, `UNLABELLED` where the file has nothing; or (N, K) float32; and K names.

    Raises:
        UserError: a label that is none of the classes; its line is named.
    """
    if raw.hot is not None:
        hot, names = _in_order(raw, options, raw.hot)
        return (_one_each(raw, hot, names), names) if options.several is False else _maybe_one(raw, hot, names, options)
    if raw.shown is not None:
        return _several(raw, options)
    if isinstance(raw.values, np.ndarray):
        return _numbers(raw, options)
    return _names(raw, options)


def _in_order(raw: Raw, options: Options, hot: np.ndarray) -> tuple[np.ndarray, list[str]]:
    names = list(raw.classes)
    if options.classes is None or options.classes == names:
        return hot, _counted(raw, names, options)
    place_of = {name: place for place, name in enumerate(names)}
    for place in np.flatnonzero(hot.any(axis=0)):
        if names[place] not in options.classes:
            raise UserError(
                f'{raw.source} has images of the class {brief(names[place])!r}, which is none of `classes`: add it.'
            )
    chosen = np.zeros((len(hot), len(options.classes)), dtype=np.float32)
    for k, name in enumerate(options.classes):
        if name in place_of:
            chosen[:, k] = hot[:, place_of[name]]
    return chosen, list(options.classes)


def _counted(raw: Raw, names: list[str], options: Options) -> list[str]:
    if options.num_classes not in (None, len(names)):
        raise UserError(
            f'{raw.source} has {len(names)} classes ({_some(names)}), but num_classes is {options.num_classes}: leave it '
            'out, or name all in `classes`.'
        )
    return names


def _one_each(raw: Raw, hot: np.ndarray, names: list[str]) -> np.ndarray:
    shown = hot.sum(axis=1)
    for place in np.flatnonzero(shown != 1)[:1]:
        if shown[place]:
            own = _some([names[k] for k in np.flatnonzero(hot[place])])
            raise UserError(f'{raw.line(place)} has several labels ({own}), and an image has one here: read them with '
                            'MultiLabelDataset.')  # fmt: skip
        raise UserError(f'{raw.line(place)} shows none of the classes, and an image has one here: correct it, or read the file '
                        'with MultiLabelDataset.')  # fmt: skip
    return hot.argmax(axis=1)


def _maybe_one(raw: Raw, hot: np.ndarray, names: list[str], options: Options) -> tuple[np.ndarray, list[str]]:
    if options.several is None and len(names) > 1 and (hot.sum(axis=1) == 1).all():
        return hot.argmax(axis=1), names
    return hot.astype(np.float32), names


def _several(raw: Raw, options: Options) -> tuple[np.ndarray, list[str]]:
    all_numbers = all(_is_number(label) for row in raw.shown for label in row)
    first = next((label for row in raw.shown for label in row), '0')
    names = options.classes or raw.classes
    if names is None and not all_numbers and _is_number(first):  # a list of numbers with something else in it
        place, label = next((place, one) for place, row in enumerate(raw.shown) for one in row if not _is_number(one))
        raise _none_of(raw, place, label, {}, True)
    if names is None:
        found = {label for row in raw.shown for label in row}
        if all_numbers:
            if (highest := max(map(int, found), default=-1)) >= max(FEW, len(raw.shown)):
                place = next(place for place, row in enumerate(raw.shown) if str(highest) in row)
                raise UserError(f'{raw.line(place)} has the label {highest}, but the file names {len(raw.shown):,} images: '
                                'name the classes in `classes`.')  # fmt: skip
            names = list(map(str, range(max(highest + 1, options.num_classes or 0))))
        else:
            names = sorted(found)
    names = list(names)
    if options.classes is None:
        _counted(raw, names, options)
    known = {name: place for place, name in enumerate(names)}
    by_number = raw.classes is None and numbers_that_are_names(names) is None
    hot = np.zeros((len(raw.shown), len(names)), dtype=np.float32)
    for place, row in enumerate(raw.shown):
        for label in row:
            k = known.get(label)
            if k is None and by_number and _is_number(label):
                k = int(label)
            if k is None or k >= len(names):
                raise _none_of(raw, place, label, known, options.classes is None and all_numbers)
            hot[place, k] = 1
    return hot, names


def _is_number(label: str) -> bool:
    return label.isascii() and label.isdecimal() and len(label) <= 7


def _none_of(raw: Raw, place: int, label: str, known: dict, numbers: bool) -> UserError:
    there = 'numbers from 0' if numbers else f'the {len(known)} classes'
    return UserError(f'{raw.line(place)} has the label {brief(label)!r}, which is none of {there}: correct it, or `classes`.')


def _names(raw: Raw, options: Options) -> tuple[np.ndarray, list[str]]:
    if options.labels is not None:
        raise UserError(f'`labels` says what numbers mean, and {raw.source} has names: leave it out.')
    names = options.classes or _counted(raw, sorted(set(raw.values) - {''}), options)
    if not names:
        raise UserError(f'{raw.source} gives no image a label: name another column in label_column.')
    place_of = {name: place for place, name in enumerate(names)} | {'': UNLABELLED}
    labels = np.fromiter((place_of.get(value, -2) for value in raw.values), dtype=np.int64, count=len(raw.values))
    for place in np.flatnonzero(labels == -2)[:1]:
        raise UserError(f'{raw.line(place)} has the label {brief(raw.values[place])!r}, which is none of the {len(names)} '
                        f'classes ({_some(names)}): correct it, or add it to `classes`.')  # fmt: skip
    return labels, list(names)


def _numbers(raw: Raw, options: Options) -> tuple[np.ndarray, list[str]]:
    classes = options.classes
    if raw.classes is not None and options.labels is None and int(raw.values.max()) < len(raw.classes):
        if classes is None or list(classes) == list(raw.classes):
            return raw.values, _counted(raw, list(raw.classes), options)
        return _names(_with(raw, [raw.classes[value] for value in raw.values.tolist()]), options)
    if classes is not None and (own := numbers_that_are_names(classes)) is not None:
        if options.labels is None and (places := _by_name(raw, classes, own)) is not None:
            return places, list(classes)
        if options.labels == 'remap':
            _refuse_other_order(raw, classes, own)
    values = _meaning(raw, options.labels, options.num_classes if classes is None else len(classes))
    places = raw.values
    if not isinstance(values, range):
        order = np.argsort(values)
        places = order[np.searchsorted(np.array(values)[order], raw.values)]
    return places, list(classes or map(str, values))


def numbers_that_are_names(classes: Sequence[str]) -> dict[int, int] | None:
    """The places of classes whose names are numbers; None where no number means another class by its name than by its place."""
    names = [(int(name), place) for place, name in enumerate(classes) if name.isascii() and name.isdecimal()]
    return None if all(value == place for value, place in names) else dict(reversed(names))


def _by_name(raw: Raw, classes: Sequence[str], own: dict[int, int]) -> np.ndarray | None:
    """Places of the classes that numbers name; None where they are no names, by what they are or by the folders of the images.

    Raises:
        UserError: where all names are numbers, one that is no name; else numbers that may be names or places.
    """
    present = np.unique(raw.values)
    names = np.array([own.get(value, UNLABELLED) for value in present.tolist()])
    strange = present[names < 0]
    if int(present[-1]) < len(classes) and _in_folders_of(raw, classes, raw.values):
        return None
    say = 'say what the numbers are, in the order of the classes: labels=[...]'
    if len(own) < len(classes):
        if len(strange) or (names == present).all():
            return None
        if _in_folders_of(raw, classes, places := names[np.searchsorted(present, raw.values)]):
            return places
        value = int(present[names != present][0])
        raise UserError(f'{_line(raw, raw.values == value)}, which may be the class called so, or class {value} of `classes`: '
                        f'{say}.')  # fmt: skip
    if len(strange):
        raise UserError(f'{_line(raw, np.isin(raw.values, strange))}, which is none of the {len(classes)} classes, whose names '
                        f'are numbers ({_some(classes)}): correct it, or, where it is no name, {say}.')  # fmt: skip
    return names[np.searchsorted(present, raw.values)]


def _in_folders_of(raw: Raw, classes: Sequence[str], places: np.ndarray) -> bool:
    """Whether the images of each class lie in a folder that is called as it."""
    told = folder_of_each_class(raw.paths, places, len(classes))
    return any(told) and all(name in (None, own) for name, own in zip(told, classes, strict=True))


def _refuse_other_order(raw: Raw, classes: Sequence[str], own: dict[int, int]) -> None:
    present = np.unique(raw.values).tolist()
    if len(own) == len(classes) and sorted(own) == present and list(map(own.get, present)) != list(range(len(classes))):
        value, name = next((value, name) for value, name in zip(present, classes, strict=True) if name != str(value))
        raise UserError(f"labels='remap' would read {value} of {raw.source} as the class {name}, and there is a class {value}: "
                        'leave labels out.')  # fmt: skip


def _with(raw: Raw, values: list[str]) -> Raw:
    return Raw(raw.source, raw.form, raw.paths, raw.numbers, values=values, line_word=raw.line_word)


def _meaning(raw: Raw, labels: str | Sequence[int] | None, num_classes: int | None) -> Sequence[int]:
    """What the list calls class 0, 1, ...: a range where its numbers are the classes."""
    present = np.unique(raw.values)
    if labels is None:
        known = num_classes is not None
        count = num_classes if known else int(present[-1]) + 1
        if present[-1] < count <= (MOST_CLASSES if known else max(FEW, len(raw.values))):
            return range(count)
        strange = raw.values >= count if known else raw.values == present[-1]
        there = f'there are {count} classes (0 to {count - 1})' if known else f'the list names {len(raw.values):,} images'
        raise UserError(f'{_line(raw, strange)}, but {there}: {_advice(present, num_classes)}')
    if isinstance(labels, str) and labels == 'remap':
        values = present.tolist()
    elif (
        isinstance(labels, (list, tuple)) and labels and all(type(value) is int and 0 <= value < 10**DIGITS for value in labels)
        and len(set(labels)) == len(labels)
    ):
        values = list(labels)
        if (strange := ~np.isin(raw.values, values)).any():
            raise UserError(f'{_line(raw, strange)}, which is not in `labels`: add it there, or leave these lines out.')
    else:
        raise UserError(f"labels must be 'remap' or a list of different numbers from 0, not {brief(repr(labels))}.")
    if num_classes not in (None, len(values)):
        raise UserError(
            f'{raw.source} has {len(values)} different labels ({_some(values)}), but there are {num_classes} classes: give '
            'labels=[...], the label of each class in their order.'
        )
    return values


def _line(raw: Raw, strange: np.ndarray) -> str:
    place = int(np.flatnonzero(strange)[0])
    return f'{raw.line(place)} has label {raw.values[place]}'


def _advice(present: np.ndarray, num_classes: int | None) -> str:
    if num_classes is None:
        return f"the labels ({_some(present)}) have gaps, which labels='remap' closes; if not, say num_classes."
    if len(present) > num_classes:
        return f'correct num_classes or classes; the list has {len(present)} different labels ({_some(present)}).'
    if present[0] == 1 and present[-1] == num_classes:
        return "the labels count from 1, so set labels='remap' (or labels=[1, 2, ...] where the list lacks some)."
    return f"the labels ({_some(present)}) have gaps: set labels='remap', or correct num_classes or classes."


def _some(values: Sequence) -> str:
    return ', '.join(brief(str(value), 40) for value in values[:5]) + (', ...' if len(values) > 5 else '')
