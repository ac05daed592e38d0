"""Recall, precision and F1 of each class, and their means; percent.

A class that the test set does not hold has none of them and is left out of every mean. A class that is held but never
predicted has no precision (0 of 0); in the mean it counts as 0, as its F1 does (scikit-learn's `zero_division=0`).
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from mmlt.evaluation.priors import accuracy_under


class PerClass(NamedTuple):
    """Of each class, and if need be of each of R resamples of the test set.

    Attributes:
        recall: float64 (..., K), percent; NaN for a class that the test set does not hold.
        precision: float64 (..., K), percent; NaN also for one that is never predicted.
        f1: float64 (..., K), percent; NaN as `recall`.
    """

    recall: np.ndarray
    precision: np.ndarray
    f1: np.ndarray


def per_class(correct: np.ndarray, images: np.ndarray, predicted: np.ndarray) -> PerClass:
    """The three from counts, each of the shape (..., K).

    Args:
        correct: images of each class that are predicted right.
        images: of each class.
        predicted: images predicted as each class.
    """
    with np.errstate(invalid='ignore', divide='ignore'):
        recall = 100 * (correct / images)
        precision = np.where(images > 0, 100 * (correct / predicted), np.nan)
        return PerClass(recall, precision, np.where(images > 0, 200 * correct / (images + predicted), np.nan))


def means(
    values: PerClass, groups: Mapping[str, np.ndarray], priors: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Means over classes by name, each of the shape (...).

    Args:
        values: of each class, at least one of which the test set holds.
        groups: shot group name -> class ids.
        priors: name -> share of each class (K,), see `mmlt.evaluation.priors`.

    Returns:
        `accuracy/mean_class`, `accuracy/harmonic_mean`, `accuracy/geometric_mean` (0 where a class has accuracy 0),
        `accuracy/<group>`, `recall/macro`, `precision/macro`, `f1/macro` and each `/<group>`, `prior/<name>`; a group without
        a class in the test set is absent.
    """
    recall = values.recall
    held = ~np.isnan(recall[(0,) * (recall.ndim - 1)])
    own = recall[..., held]
    with np.errstate(divide='ignore'):
        found = {
            'accuracy/mean_class': own.mean(-1),
            'accuracy/harmonic_mean': 1 / (1 / own).mean(-1),
            'accuracy/geometric_mean': np.exp(np.log(own).mean(-1)),
        }
    # A class that is never predicted has precision 0 in the means.
    kinds = {'recall': recall, 'precision': np.nan_to_num(values.precision), 'f1': values.f1}
    for name, ids in dict(macro=np.arange(recall.shape[-1]), **groups).items():
        inside = np.intersect1d(ids, np.flatnonzero(held))
        if len(inside):
            found |= {f'{kind}/{name}': each[..., inside].mean(-1) for kind, each in kinds.items()}
            if name != 'macro':
                found[f'accuracy/{name}'] = found[f'recall/{name}']
    return found | {f'prior/{name}': accuracy_under(prior, recall) for name, prior in priors.items()}
