"""The images of one set, looked at as those of a test set are."""

import copy
from typing import Any

from mmlt.datasets.mmpretrain_dataset import MMPretrainDataset
from mmlt.datasets.streaming import StreamingDataset


def as_tested(dataset: Any, test: Any, own_size: bool = False) -> Any:
    """The same images, looked at as those of a test set are: of that set's size, cut out of the middle, nothing drawn.

    Sets in memory stay as they are: their images are whole, and what is drawn is drawn by the preprocessor.

    Args:
        dataset: the set, or a part of one.
        test: the test set, or a part of one; None where there is none.
        own_size: keep the set's own size where that of the test set is another, larger for several crops say.

    Raises:
        UserError: the set is mmpretrain's, and the test set, which would say by its pipeline how to look at it, is not.
    """
    if dataset.resident:
        return dataset
    if isinstance(dataset, StreamingDataset):
        return dataset.as_tested(None if own_size else _innermost(test, StreamingDataset))
    if isinstance(dataset, MMPretrainDataset):
        return dataset.as_tested_by(_innermost(test, MMPretrainDataset))
    if getattr(dataset, 'dataset', None) is None:
        return dataset
    part = copy.copy(dataset)
    part.dataset = as_tested(dataset.dataset, test, own_size)
    return part


def _innermost(dataset: Any, kind: type) -> Any:
    """The set of a kind that a set is, or is a part of, or stands for; None for sets of other kinds."""
    while dataset is not None and not isinstance(dataset, kind):
        dataset = getattr(dataset, 'source', getattr(dataset, 'dataset', None))
    return dataset
