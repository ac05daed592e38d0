"""Precision against recall, for images with several labels."""

from collections.abc import Mapping, Sequence

import numpy as np

from mmlt.analysis.charts.course import SIZE
from mmlt.analysis.pages import Html, Plot, figure, legend, single

POINTS = 101  # recalls at which precisions are averaged over classes


def precision_at(scores: np.ndarray, shown: np.ndarray, recalls: np.ndarray) -> np.ndarray:
    """Precision of one class at given recalls: the best that any threshold with at least that recall gives.

    Args:
        scores: (N,) of the images.
        shown: (N,) bool, whether they show the class; at least one does.
        recalls: (P,) in [0, 1].

    Source: Everingham et al., The PASCAL Visual Object Classes Challenge, IJCV 2010, section 4.2 (interpolated precision).
    """
    order = np.argsort(-scores, kind='stable')
    hits = np.cumsum(shown[order])
    last = np.flatnonzero(np.diff(scores[order], append=-np.inf))  # equal scores enter together
    recall, precision = hits[last] / hits[-1], hits[last] / (last + 1)
    best = np.maximum.accumulate(precision[::-1])[::-1]
    return best[np.minimum(np.searchsorted(recall, recalls - 1e-12), len(best) - 1)]


def precision_recall_plot(
    probabilities: np.ndarray, target: np.ndarray, groups: Mapping[str, Sequence[int]]
) -> Html | None:
    """Mean precision over the classes at each recall, of all classes and of each shot group.

    Args:
        probabilities: (N, K).
        target: (N, K), not 0 where an image shows a class.
        groups: shot group -> class ids.

    Returns:
        None where no image shows any class.
    """
    shown = target > 0
    held = np.flatnonzero(shown.any(axis=0))
    if not len(held):
        return None
    recalls = np.linspace(0, 1, POINTS)
    curves = {c: precision_at(probabilities[:, c].astype(np.float32), shown[:, c], recalls) for c in held.tolist()}
    plot = Plot(*SIZE, (0, 1), (0, 1))
    plot.y_axis('precision')
    plot.x_axis('recall')
    entries = []
    for number, (name, ids) in enumerate({'all classes': held.tolist(), **groups}.items(), start=1):
        own = [curves[c] for c in ids if c in curves]
        if own:
            entries.append((number, f'{name} ({len(own)})'))
            plot.line(recalls, np.mean(own, axis=0), number)
    words = 'Mean over the classes of the interpolated precision at each recall; in brackets the number of classes.'
    return figure(single(plot, 'precision against recall'), words, legend(entries))
