"""What a run reads, looked at before its first step: what would end it later ends it now."""

from typing import Any

from mmlt.analysis.results import check_data_entry
from mmlt.datasets.naming import check_names
from mmlt.engine.agreement import check_classes, check_counts, class_folders
from mmlt.engine.console import note, say
from mmlt.errors import UserError

NAMED = 12  # broken files in a message


def check_inputs(train: Any, test: Any) -> None:
    """The data of a run: classes that agree, each with a training image, entries that its results can hold, all files there.

    Args:
        train: the training set.
        test: the set evaluated on.

    Raises:
        UserError: what is wrong with them; missing and broken files of both are counted and listed together.
    """
    classes, tested = train.metainfo['classes'], test.metainfo.get('classes')
    check_counts(classes, train.metainfo['class_counts'])
    check_classes(classes, tested, train_folders=class_folders(train), test_folders=class_folders(test))
    check_names([str(name) for name in classes], 'the training set')
    check_files({'training': train, 'test': test})
    for dataset in (train, test):
        if not callable(getattr(dataset, 'fingerprint', None)):
            raise UserError(f'{type(dataset).__name__} has no fingerprint(), which says what the set is: see docs/extend.md.')
        check_data_entry(dataset.fingerprint(), f'fingerprint() of {type(dataset).__name__}')


def check_files(sets: dict[str, Any]) -> None:
    """Refuse sets with missing or broken files.

    Args:
        sets: data set by what it is for; one without `problems` has no files to look at.

    Raises:
        UserError: how many of which set, the first of them, and what is wrong with each.
    """
    found: list[str] = []
    counts: list[str] = []
    for what, dataset in {id(dataset): (what, dataset) for what, dataset in reversed(sets.items())}.values():
        if problems := dataset.problems() if hasattr(dataset, 'problems') else []:
            counts.insert(0, f'{len(problems):,} of the {len(dataset):,} {what} images')
            found[:0] = problems
    if not found:
        return
    more = f'; and {len(found) - NAMED:,} more' if len(found) > NAMED else ''
    raise UserError(
        f'{" and ".join(counts)} cannot be used: {"; ".join(found[:NAMED])}{more}. Replace them, correct data_root, or set '
        "on_broken='skip' of the data set, which leaves them out and counts them."
    )


def skipped(sets: dict[str, Any]) -> dict[str, dict[str, int]]:
    """What each set found and left out, for the results; see `StreamingDataset`."""
    return {what: dict(dataset.skipped) for what, dataset in sets.items() if getattr(dataset, 'skipped', None)}


def say_skipped(sets: dict[str, Any]) -> None:
    """Say how each set's file was read and what it left out, and name the broken images in the log."""
    notes: dict[str, list[str]] = {}  # what sets of one file have in common is said once
    for what, dataset in sets.items():
        for line in getattr(dataset, 'notes', ()):
            notes.setdefault(line, []).append(what)
    for line, whose in notes.items():
        say(f'  {" and ".join(filter(None, [", ".join(whose[:-1]), whose[-1]]))} set: {line}')
    for what, counts in skipped(sets).items():
        say(f'  skipped in the {what} set: {", ".join(f"{count:,} {kind}" for kind, count in sorted(counts.items()))}')
        for line in getattr(sets[what], 'left_out', []):
            note(f'  left out: {line}')
