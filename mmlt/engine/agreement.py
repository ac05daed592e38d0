"""What must agree before a run: the classes of its data sets, and what a finished run was trained on that it builds on."""

from collections.abc import Sequence
from typing import Any

import torch

from mmlt.batch import Batch
from mmlt.engine.console import say
from mmlt.errors import UserError, brief
from mmlt.models.classifiers import LongTailedClassifier


def check_classes(
    train: Sequence[str],
    test: Sequence[str] | None,
    trained_on: str = 'the training set',
    train_folders: Sequence[str | None] | None = None,
    test_folders: Sequence[str | None] | None = None,
    tested_on: str = 'the test set',
) -> None:
    """Refuse a test set whose labels mean other classes, or of which nobody can tell.

    Names are compared with names. Numbers in their places (`'0', '1', ...`) are no names: what they mean is asked of the
    folders that the images lie in. Two sets of numbers without such folders count as numbered alike, as the lists of one
    publisher are; numbers beside names, with nothing that tells which is which, do not.

    Args:
        train: names of the classes trained on.
        test: names of the test set's classes; None where it does not tell.
        trained_on: what `train` belongs to, for the message.
        train_folders: a folder's name for each class, None for a class of which the paths tell none; see
            `StreamingDataset.class_folders`.
        test_folders: the same of the test set.
        tested_on: what `test` belongs to.

    Raises:
        UserError: another number of classes, other names, or names on one side that nothing compares to the other.
    """
    if test is None:
        return
    train, test = [str(name) for name in train], [str(name) for name in test]
    if len(train) != len(test):
        lacking = [brief(name) for name in train if name not in set(test)]
        lacks = f', and lacks {", ".join(lacking[:3])}' if lacking else ''
        raise _other_classes(tested_on, trained_on, f'it has {len(test)}, not {len(train)}{lacks}')
    numbers = [_numbered(train), _numbered(test)]
    if not any(numbers):
        if train == test:
            return
        place = next(place for place, name in enumerate(train) if test[place] != name)
        what = f'class {place} is {brief(test[place])!r} there and {brief(train[place])!r} here'
        raise _other_classes(tested_on, trained_on, what)
    mine, theirs = _meanings(train, train_folders), _meanings(test, test_folders)
    places = {name: place for place, name in enumerate(mine) if name is not None}
    for place, name in enumerate(theirs):
        if name is not None and places.get(name, place) != place:
            what = f'{brief(name)!r} is class {place} there and class {places[name]} here'
            raise _other_classes(tested_on, trained_on, what)
    if all(numbers):
        return
    told, names = (train_folders, test) if numbers[0] else (test_folders, train)
    if not any(told or ()) or any(folder not in (None, name) for folder, name in zip(told, names, strict=True)):
        named, bare = (tested_on, trained_on) if numbers[0] else (trained_on, tested_on)
        raise UserError(
            f'{named} names its classes ({", ".join(map(brief, names[:3]))}, ...) and {bare} has numbers alone, so nobody can '
            'tell which is which: give the numbers their names by `classes`, a list in the order of the labels.'
        )


def _numbered(names: Sequence[str]) -> bool:
    return all(name == str(place) for place, name in enumerate(names))


def _meanings(names: Sequence[str], folders: Sequence[str | None] | None) -> list[str | None]:
    """What each class is called, by its name or, where that is a number, by its folder."""
    if not _numbered(names):
        return list(names)
    return list(folders) if folders is not None and len(folders) == len(names) else [None] * len(names)


def _other_classes(tested_on: str, trained_on: str, what: str) -> UserError:
    return UserError(
        f'{tested_on} has other classes than {trained_on} ({what}): give both sets the same `classes`, a list of names '
        'in the order of the labels (or the same num_classes).'
    )


def class_folders(dataset: Any) -> list[str | None] | None:
    """See `StreamingDataset.class_folders`; None where a set has no files."""
    return getattr(dataset, 'class_folders', None)


def places_of_classes(
    wanted: Sequence[str | int] | None, its: Sequence[str] | None, classes: Sequence[str], source: object
) -> list[int] | None:
    """The place among `classes` of each class that a finished model knows.

    Args:
        wanted: what the config says: names or places, in the order of the model's classes; None where it says nothing.
        its: names of the model's classes; None where it does not tell.
        classes: names of the classes of this run.
        source: the model's checkpoint, for the message.

    Returns:
        A list of places, or None where the classes are the same in the same order, or nothing tells.

    Raises:
        UserError: a class that this run does not have, or twice the same.
    """
    names = [str(name) for name in classes]
    if wanted is None and (its is None or list(map(str, its)) == names or not set(map(str, its)) <= set(names)):
        return None
    places = []
    for name in its if wanted is None else wanted:
        place = name if isinstance(name, int) else (names.index(name) if name in names else -1)
        if not 0 <= place < len(names) or place in places:
            raise UserError(f'this run has no class {name!r}, or has it once, as {source} should know it: correct `classes`.')
        places.append(place)
    return places


def check_counts(classes: Sequence[str], class_counts: Sequence[int]) -> None:
    """Refuse a training set with a class that nothing can be learned of.

    Raises:
        UserError: a class has no image.
    """
    empty = [brief(str(name)) for name, count in zip(classes, class_counts, strict=True) if not count]
    if not empty:
        return
    said = f'class {", ".join(empty[:3])}{" and more" if len(empty) > 3 else ""} has no training image'
    if _numbered([str(name) for name in classes]):
        filled = [place for place, count in enumerate(class_counts) if count]
        if filled == list(range(1, len(class_counts))):
            raise UserError(f"{said}, so the labels seem to count from 1: set labels='remap' of the ImageList, or add images.")
        raise UserError(
            f'{said} (the labels are {", ".join(map(str, filled[:5]))}{", ..." if len(filled) > 5 else ""}): close the gaps by '
            "labels='remap' of the ImageList, lower num_classes, or add images of it."
        )
    raise UserError(f'{said}: leave it out of the classes, or add images of it.')


def seen_size(model: LongTailedClassifier, dataset) -> list[int] | None:  # noqa: ANN001
    """Height and width of the images that the network is trained on; None where the preprocessor does not tell."""
    if not hasattr(model.data_preprocessor, 'augment'):
        return None
    image = dataset[0][0][None]
    zero = torch.zeros(1, dtype=torch.int64)
    return list(model.data_preprocessor.augment(Batch(image, zero, zero, zero), training=True).shape[2:])


def check_input(model: LongTailedClassifier, other: LongTailedClassifier, role: str, sizes: tuple) -> None:
    """A finished run's model sees this run's images: refuse another normalisation, tell of another size.

    Args:
        model: of this run.
        other: of the finished run.
        role: what it is here, `teacher` for instance.
        sizes: height and width of the images of this run, and of the finished one; None where it is not known.

    Raises:
        UserError: the finished run normalised its images otherwise.
    """
    mine, theirs = _normalisation(model), _normalisation(other)
    if mine and theirs and not (mine[0].shape == theirs[0].shape and all(map(torch.allclose, mine, theirs))):
        (mean, std), (its_mean, its_std) = ([part.flatten().tolist() for part in pair] for pair in (mine, theirs))
        raise UserError(
            f'the {role} was trained on images normalised with mean {_short(its_mean)} and std {_short(its_std)}, this run '
            f'has {_short(mean)} and {_short(std)}: set data_preprocessor.mean and std to those of the {role}.'
        )
    here, there = sizes
    if here and there and here != there:
        say(f'  the {role} was trained on images of {there[0]}x{there[1]} pixels and sees {here[0]}x{here[1]} here')


def _normalisation(model: LongTailedClassifier) -> tuple[torch.Tensor, torch.Tensor] | None:
    """Mean and standard deviation of a `BatchPreprocessor`, in [0, 1], on the CPU."""
    mean, scale = (getattr(model.data_preprocessor, name, None) for name in ('mean', 'scale'))
    return None if mean is None or scale is None else (mean.cpu() / 255, 1 / scale.cpu() / 255)


def _short(values: list[float]) -> str:
    return ', '.join(f'{value:.4g}' for value in values)
