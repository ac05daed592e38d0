"""Everything there is to say of predictions for images with several labels: `evaluation.json`; see docs/evaluation.md."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from mmlt.evaluation.bootstrap import LEVEL, RESAMPLES, image_weights, intervals
from mmlt.evaluation.record import SCHEMA
from mmlt.priors import GROUPS, shot_groups

WORK = 200_000_000  # images * classes * resamples; a larger set has fewer resamples
LEAST = 200


class MultiLabelEvaluation:
    """The predictions for a test set of images with several labels, and all that follows from them.

    Args:
        logits: (N, K) float64, in the order of the test set.
        shown: (N, K) bool, whether an image shows a class.
        class_counts: (K,) TRAINING images that show a class.
        metrics: of the whole test set, by name, as `MultiLabelMetric.evaluate` gives them.
        by_label: one dict a class, as `MultiLabelMetric.details` has them.
        cuts: (K,) logits from which on a class is predicted.
        convention: of the shot groups.
        classes: K names.

    Attributes:
        tables: what other metrics give besides numbers, by name, for the record.
    """

    def __init__(
        self,
        logits: np.ndarray,
        shown: np.ndarray,
        class_counts: Sequence[int],
        metrics: dict[str, float],
        by_label: list[dict],
        cuts: np.ndarray,
        convention: str = 'standard',
        classes: Sequence[str] | None = None,
    ) -> None:
        self.logits, self.shown, self.cuts = logits, shown, cuts
        self.class_counts = [int(count) for count in class_counts]
        self.whole, self.by_label, self.convention = metrics, by_label, convention
        self.classes = [str(name) for name in (classes if classes else range(len(self.class_counts)))]
        self.tables: dict[str, list] = {}
        self.groups = shot_groups(self.class_counts, convention)

    def record(self, split: str = 'test', resamples: int = RESAMPLES) -> dict[str, Any]:
        """The content of `evaluation.json`.

        Args:
            split: `test` or `holdout`.
            resamples: of the bootstrap; fewer, at least 200, where images times classes are many; 0 for no intervals.
        """
        if resamples:
            resamples = min(resamples, max(LEAST, WORK // self.logits.size))
        found = intervals(self.resampled(resamples)) if resamples else {}
        columns = {name: [row[name] for row in self.by_label] for name in ('AP', 'AUROC', 'F1', 'threshold', 'test_images')}
        return dict(
            schema=SCHEMA,
            task='multi_label',
            split=split,
            images=len(self.logits),
            classes=self.classes,
            class_counts=self.class_counts,
            shot_groups=dict(convention=self.convention, **{name: self.groups[name].tolist() for name in GROUPS}),
            metrics=self.whole,
            intervals=dict(level=LEVEL, resamples=resamples, metrics=found),
            per_class=columns,
            **(dict(tables=self.tables) if self.tables else {}),
        )

    def resampled(self, resamples: int = RESAMPLES) -> dict[str, np.ndarray]:
        """The metrics of each resample of the images: name -> (R,).

        The means are over the classes that a resample shows; a metric without any in some resample has no interval.

        Args:
            resamples: R.
        """
        curves = [_Curve(self.logits[:, c], self.shown[:, c], self.cuts[c]) for c in range(self.logits.shape[1])]
        parts: dict[str, list[np.ndarray]] = {name: [] for name in self.whole}
        for weights in image_weights(len(self.logits), resamples):
            values = [curve.metrics(weights) for curve in curves]
            for place, key in enumerate(('mAP', 'AUROC', 'F1')):
                by_class = np.stack([value[place] for value in values], axis=1)  # (r, K)
                for name, ids in {key: slice(None), **{f'{key}/{group}': ids for group, ids in self.groups.items()}}.items():
                    if name in parts:
                        parts[name].append(100 * _mean_of_known(by_class[:, ids]))
        return {name: np.concatenate(each) for name, each in parts.items()}

    def arrays(self) -> dict[str, np.ndarray]:
        """The content of `evaluation_images.npz`, in the order of the test set."""
        probabilities = np.exp(-np.logaddexp(0, -self.logits))
        return dict(target=self.shown.astype(np.uint8), probabilities=probabilities.astype(np.float16))


class _Curve:
    """One class's images by falling score, equal scores together: its metrics for any weights of the images."""

    def __init__(self, scores: np.ndarray, shown: np.ndarray, cut: float) -> None:
        self.order = np.argsort(-scores, kind='stable')
        self.shown = shown[self.order]
        self.last = np.append(np.flatnonzero(np.diff(scores[self.order])), len(scores) - 1)  # of each threshold's images
        self.predicted = int((scores >= cut).sum())  # so many of the first

    def metrics(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Average precision, AUROC and F1, each (r,), as `mmlt.evaluation.multi_label` defines them; NaN where there is none.

        Args:
            weights: int64 (r, N), how often each image counts.
        """
        ordered = weights[:, self.order]
        seen = np.cumsum(ordered, axis=1)  # (r, N)
        found = np.cumsum(np.where(self.shown, ordered, 0), axis=1)
        predicted, right = (part[:, self.predicted - 1] if self.predicted else 0 for part in (seen, found))
        seen, found = seen[:, self.last], found[:, self.last].astype(np.float64)
        positives, total = found[:, -1], seen[:, -1]
        gained = np.diff(found, prepend=0.0)
        with np.errstate(invalid='ignore', divide='ignore'):
            precision = np.where(seen > 0, found / seen, 0)
            average = (gained * precision).sum(1) / positives
            missed = seen - found  # images without the class from the top down to each threshold
            # Of each image with the class those without below it, and half of those beside it.
            below = missed[:, -1:] - missed + np.diff(missed, prepend=0.0) / 2
            area = (gained * below).sum(1) / (positives * (total - positives))
            f1 = np.where(positives > 0, 2 * right / (predicted + positives), np.nan)
        return average, area, f1


def _mean_of_known(values: np.ndarray) -> np.ndarray:
    """Mean of each row's numbers that are not NaN; NaN where there is none."""
    known = ~np.isnan(values)
    with np.errstate(invalid='ignore'):
        return np.where(known, values, 0).sum(1) / known.sum(1)
