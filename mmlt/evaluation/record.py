"""Everything there is to say of a classifier's predictions for a test set: `evaluation.json`; see docs/evaluation.md."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from mmlt.evaluation.bootstrap import LEVEL, RESAMPLES, intervals, stratified_draws
from mmlt.evaluation.calibration import (
    NUM_BINS,
    bin_edges,
    brier_score,
    classwise_calibration_error,
    maximum_calibration_error,
    places_in_bins,
    reliability,
)
from mmlt.evaluation.confusion import confused_pairs, confusion_of, group_confusion
from mmlt.evaluation.functional import TOP, ImageStatistics, metrics_from_statistics
from mmlt.evaluation.per_class import means, per_class
from mmlt.evaluation.priors import priors_by_name
from mmlt.priors import GROUPS, shot_groups

SCHEMA = 1


class SingleLabelEvaluation:
    """The predictions for a test set of images with one label each, and all that follows from them.

    Args:
        statistics: of the N images, in the order of the test set, on the CPU.
        class_counts: (K,) TRAINING images of each class.
        convention: of the shot groups.
        classes: K names.
        classwise: int64 (3, K * B), see `ClasswiseSums`; None where they are not known.
        probabilities: whether the outputs are any: without, nothing is said of calibration and likelihood.

    Attributes:
        tables: what other metrics give besides numbers, by name, for the record.
    """

    def __init__(
        self,
        statistics: ImageStatistics,
        class_counts: Sequence[int],
        convention: str = 'standard',
        classes: Sequence[str] | None = None,
        classwise: np.ndarray | None = None,
        probabilities: bool = True,
    ) -> None:
        self.class_counts = [int(count) for count in class_counts]
        self.num_classes = len(self.class_counts)
        self.convention = convention
        self.classes = [str(name) for name in (classes if classes else range(self.num_classes))]
        self.groups = shot_groups(self.class_counts, convention)
        self.priors = priors_by_name(self.class_counts)
        self.classwise = classwise
        self.probabilities = probabilities
        self.tables: dict[str, list] = {}
        self.basic = metrics_from_statistics(statistics, self.num_classes, self.groups)
        self.target = statistics.target.numpy()
        self.top_classes = statistics.top_classes.numpy()
        self.prediction = self.top_classes[0]
        self.top_probabilities = statistics.top_probabilities.double().numpy()
        self.nll = statistics.nll.double().numpy()
        self.brier = brier_score(statistics.squares.double().numpy(), self.nll)

    @property
    def correct(self) -> np.ndarray:
        """(N,) bool."""
        return self.prediction == self.target

    @property
    def in_top(self) -> np.ndarray:
        """(N,) bool, whether the true class is among the five likeliest."""
        return (self.top_classes == self.target).any(axis=0)

    def record(self, split: str = 'test', resamples: int = RESAMPLES) -> dict[str, Any]:
        """The content of `evaluation.json`.

        Args:
            split: `test` or `holdout`.
            resamples: of the bootstrap; 0 for no intervals.
        """
        confusion = confusion_of(self.target, self.prediction, self.num_classes)
        images, predicted = confusion.by_true(), confusion.by_predicted()
        values = per_class(confusion.correct(), images, predicted)
        found = intervals(self.resampled(images, resamples)) if resamples else {}
        return dict(
            schema=SCHEMA,
            task='single_label',
            split=split,
            images=len(self.target),
            classes=self.classes,
            class_counts=self.class_counts,
            shot_groups=dict(convention=self.convention, **{name: self.groups[name].tolist() for name in GROUPS}),
            metrics=self.metrics(),
            intervals=dict(level=LEVEL, resamples=resamples, metrics=found),
            per_class=dict(
                recall=or_none(values.recall),
                precision=or_none(values.precision),
                f1=or_none(values.f1),
                test_images=images.tolist(),
                predicted_images=predicted.tolist(),
            ),
            confusion=dict(
                true=confusion.true.tolist(), predicted=confusion.predicted.tolist(), images=confusion.images.tolist()
            ),
            group_confusion=dict(groups=list(self.groups), share=group_confusion(confusion, self.groups)),
            confused_pairs=confused_pairs(confusion),
            reliability=self._reliability() if self.probabilities else None,
            **(dict(tables=self.tables) if self.tables else {}),
        )

    def metrics(self) -> dict[str, float]:
        """All figures of the whole test set, by name; those of results.json are the very same numbers."""
        confusion = confusion_of(self.target, self.prediction, self.num_classes)
        values = per_class(confusion.correct(), confusion.by_true(), confusion.by_predicted())
        found = means(values, self.groups, self.priors) | self.basic
        if self.num_classes > TOP:
            found['accuracy/top5'] = 100 * self.in_top.mean()
        if self.probabilities:
            bins = reliability(self.top_probabilities[0], self.correct)
            if self.classwise is not None:
                found['calibration/classwise_ece'] = classwise_calibration_error(self.classwise, self.num_classes)
            found['calibration/mce'] = maximum_calibration_error(bins)
            found['calibration/brier'] = self.brier.mean()
        else:
            found = {name: value for name, value in found.items() if name not in ('calibration/ece', 'nll')}
        return {name: float(value) for name, value in found.items()}

    def resampled(self, class_sizes: np.ndarray, resamples: int = RESAMPLES) -> dict[str, np.ndarray]:
        """The metrics of each stratified resample of the test set: name -> (R,).

        Left out are the class-wise and the maximum calibration error: the one is no function of what is kept of each image,
        the other is a maximum over bins of few images, of which the bootstrap says nothing.

        Args:
            class_sizes: (K,) test images of each class.
            resamples: R.
        """
        order = np.argsort(self.target, kind='stable')
        held = class_sizes > 0
        starts = (np.cumsum(class_sizes) - class_sizes)[held]
        correct, in_top = self.correct[order], self.in_top[order]
        prediction, confidence = self.prediction[order], self.top_probabilities[0, order]
        gap, place = correct - confidence, places_in_bins(confidence)
        parts: dict[str, list[np.ndarray]] = {}
        for drawn in stratified_draws(class_sizes, resamples):
            hits = np.zeros((len(drawn), self.num_classes), dtype=np.int64)
            hits[:, held] = np.add.reduceat(correct[drawn], starts, axis=1, dtype=np.int64)
            values = per_class(hits, class_sizes, _counts(prediction[drawn], self.num_classes))
            found = {'accuracy/top1': 100 * hits.sum(1) / len(order)}
            if self.num_classes > TOP:
                found['accuracy/top5'] = 100 * in_top[drawn].mean(1)
            found |= means(values, self.groups, self.priors)
            if self.probabilities:
                found['calibration/ece'] = np.abs(_counts(place[drawn], NUM_BINS, gap[drawn])).sum(1) / len(order)
                found['calibration/brier'] = self.brier[order][drawn].mean(1)
                found['nll'] = self.nll[order][drawn].mean(1)
            for name, each in found.items():
                parts.setdefault(name, []).append(each)
        return {name: np.concatenate(each) for name, each in parts.items()}

    def arrays(self) -> dict[str, np.ndarray]:
        """The content of `evaluation_images.npz`, in the order of the test set."""
        shown = self.top_probabilities.T if self.probabilities else np.full(self.top_probabilities.T.shape, np.nan)
        return dict(
            target=self.target.astype(np.int32),
            top_classes=np.ascontiguousarray(self.top_classes.T, dtype=np.int32),
            top_probabilities=np.ascontiguousarray(shown, dtype=np.float32),
            nll=(self.nll if self.probabilities else np.full(len(self.nll), np.nan)).astype(np.float32),
        )

    def _reliability(self) -> dict[str, list]:
        bins = reliability(self.top_probabilities[0], self.correct)
        return dict(
            edges=bin_edges().tolist(),
            confidence=or_none(bins.confidence),
            accuracy=or_none(bins.accuracy),
            images=bins.images.tolist(),
        )


def or_none(values: np.ndarray) -> list[float | None]:
    """The numbers as a list, None in place of NaN."""
    return [None if np.isnan(value) else float(value) for value in values]


def _counts(places: np.ndarray, size: int, weights: np.ndarray | None = None) -> np.ndarray:
    """`np.bincount` of each row: (r, N) to (r, size)."""
    flat = (places + np.arange(len(places))[:, None] * size).ravel()
    counts = np.bincount(flat, None if weights is None else weights.ravel(), minlength=len(places) * size)
    return counts.reshape(len(places), size)
