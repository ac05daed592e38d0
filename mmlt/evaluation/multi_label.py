"""Metrics of images with several labels, one class after another, as scikit-learn defines them; float64 on NumPy arrays."""

import numpy as np


def average_precision(scores: np.ndarray, shown: np.ndarray) -> float | None:
    """Area under the precision-recall curve as a sum of steps, `sum over thresholds of (R_n - R_(n-1)) * P_n`.

    Images of equal score are one threshold.

    Args:
        scores: (N,), larger for a class that is likelier shown.
        shown: (N,) bool.

    Returns:
        In [0, 1]; None where no image shows the class.
    """
    if not shown.any():
        return None
    order = np.argsort(-scores, kind='stable')
    last = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)  # of each threshold's images
    found = np.cumsum(shown[order])[last].astype(np.float64)
    return float(np.sum(np.diff(found, prepend=0.0) * found / (last + 1)) / found[-1])


def area_under_roc(scores: np.ndarray, shown: np.ndarray) -> float | None:
    """Probability that an image with the class scores above one without; equal scores count half.

    Args:
        scores: (N,).
        shown: (N,) bool.

    Returns:
        In [0, 1]; None where all images show the class, or none does.
    """
    positives = int(shown.sum())
    negatives = len(shown) - positives
    if not positives or not negatives:
        return None
    _, place, sizes = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(sizes) - (sizes - 1) / 2)[place]  # equal scores share their mean rank, from 1
    return float((ranks[shown].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def f1_score(predicted: np.ndarray, shown: np.ndarray) -> float | None:
    """Harmonic mean of precision and recall.

    Args:
        predicted: (N,) bool.
        shown: (N,) bool.

    Returns:
        In [0, 1], 0 where nothing right is predicted; None where no image shows the class.
    """
    if not shown.any():
        return None
    return float(2 * (predicted & shown).sum() / (predicted.sum() + shown.sum()))


def best_threshold(scores: np.ndarray, shown: np.ndarray) -> float | None:
    """The score from which on predicting a class gives the best F1, half way to the next lower score; the highest of equals.

    Args:
        scores: (N,).
        shown: (N,) bool.

    Returns:
        None where no image shows the class, or all images score alike.
    """
    if not shown.any() or scores.min() == scores.max():
        return None
    order = np.argsort(-scores, kind='stable')
    last = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    found = np.cumsum(shown[order])[last]
    best = int(np.argmax(2 * found / (last + 1 + shown.sum())))
    here = float(scores[order[last[best]]])
    return here if best + 1 == len(last) else (here + float(scores[order[last[best] + 1]])) / 2
