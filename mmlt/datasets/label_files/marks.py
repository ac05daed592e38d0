"""Images with a mark for each class: 1 (shown), 0 (not), -1 (uncertain) or nothing, and what the last two are."""

from collections.abc import Sequence

import numpy as np

from mmlt.datasets.label_files.options import Options
from mmlt.datasets.label_files.raw import Raw
from mmlt.errors import UserError, brief

VALUES = {'1': 1.0, '1.0': 1.0, '0': 0.0, '0.0': 0.0, '-1': -1.0, '-1.0': -1.0, '': np.nan}
RULES = {'zeros': 'read as 0 (not shown)', 'ones': 'read as 1 (shown)', 'leave_out': 'left out with their images'}


def set_marks(raw: Raw, rows: Sequence[Sequence[str]], names: Sequence[str], classes: Sequence[str], options: Options) -> None:
    """Give the images what their marks say, uncertain and blank ones by the rules for them.

    Args:
        raw: the images; `hot`, `denies` and `classes` are set, and images are left out where a rule says so.
        rows: N rows of K marks.
        names: what the file calls the K classes.
        classes: what they are called from here on.
        options: `uncertain` and `blank`.

    Raises:
        UserError: a mark of another kind, or one that no rule is for; its line is named.
    """
    hot = np.array([[VALUES.get(mark, 2.0) for mark in row] for row in rows])
    for place, k in np.argwhere(hot == 2)[:1]:
        raise not_a_mark(raw, place, names[k], rows[place][k])
    raw.hot, raw.denies, raw.classes = hot, True, list(classes)
    _settle(raw, names, options)


def not_a_mark(raw: Raw, place: int, name: str, mark: str) -> UserError:
    """What to say of a mark that is neither 1 nor 0.

    Args:
        raw: the images.
        place: of the image.
        name: of the class.
        mark: as it stands in the file.
    """
    which = {'-1': 'uncertain', '': 'blank'}.get(mark.partition('.')[0])
    if which is None:
        advice = 'correct it, or name the columns of the classes in `classes`'
    else:
        what = 'an uncertain' if which == 'uncertain' else 'a missing'
        advice = f"decide what {what} label is: {which}='zeros', 'ones' or 'leave_out'"
    return UserError(
        f'{raw.line(place)} has {brief(mark)!r} for {brief(name)!r}, where 1 (shown) or 0 (not) must stand: {advice}.'
    )


def _settle(raw: Raw, names: Sequence[str], options: Options) -> None:
    """Apply the rules for uncertain and blank marks, and say so."""
    kept = np.ones(len(raw.hot), dtype=bool)
    for which, rule, what in (
        (raw.hot == -1, options.uncertain, 'uncertain'), (np.isnan(raw.hot), options.blank, 'blank')
    ):  # fmt: skip
        if not which.any():
            continue
        if rule is None:
            place, k = np.argwhere(which)[0]
            raise not_a_mark(raw, place, names[k], '-1' if what == 'uncertain' else '')
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
