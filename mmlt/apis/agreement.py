"""What must agree before a run: the classes of its data sets, and the size of its images."""

from collections.abc import Sequence

import torch

from mmlt.batch import Batch
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
