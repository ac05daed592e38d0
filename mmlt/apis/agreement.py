"""What must agree before a run: the classes of its data sets, and what a finished run was trained on that it builds on."""

from collections.abc import Sequence

import torch

from mmlt.batch import Batch
from mmlt.engine.console import say
from mmlt.errors import UserError
from mmlt.models.classifiers import LongTailedClassifier


def check_classes(train: Sequence[str], test: Sequence[str] | None, trained_on: str = 'the training set') -> None:
    """Refuse a test set whose labels mean other classes.

    Args:
        train: names of the classes trained on; numbers in their places (`'0', '1', ...`) say nothing about names.
        test: names of the test set's classes; None where it does not tell.
        trained_on: what `train` belongs to, for the message.

    Raises:
        UserError: another number of classes, or other names.
    """
    if test is None:
        return
    train, test = [str(name) for name in train], [str(name) for name in test]
    numbered = any(names == [str(place) for place in range(len(names))] for names in (train, test))
    if train == test or (numbered and len(train) == len(test)):
        return
    lacking = [name for name in train if name not in test]
    if len(train) != len(test):
        what = f'it has {len(test)}, not {len(train)}' + (f', and lacks {", ".join(lacking[:3])}' if lacking else '')
    else:
        place = next(place for place, name in enumerate(train) if test[place] != name)
        what = f'class {place} is {test[place]!r} there and {train[place]!r} here'
    raise UserError(
        f'the test set has other classes than {trained_on} ({what}): give both sets the same `classes`, a list of names '
        'in the order of the labels (or the same num_classes).'
    )


def check_counts(classes: Sequence[str], class_counts: Sequence[int]) -> None:
    """Refuse a training set with a class that nothing can be learned of.

    Raises:
        UserError: a class has no image.
    """
    empty = [str(name) for name, count in zip(classes, class_counts, strict=True) if not count]
    if empty:
        raise UserError(
            f'class {", ".join(empty[:3])}{" and more" if len(empty) > 3 else ""} has no training image: leave it out of '
            'the classes, or add images of it.'
        )


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
