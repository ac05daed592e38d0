"""How far two contestants are apart, and how sure that is: over seeds, and over test images."""

import math
import statistics
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mmlt.analysis.comparison.contestants import Contestant, Match
from mmlt.analysis.report.metrics import Metric
from mmlt.analysis.run_files import RunFiles

LEVEL = 0.95
RESAMPLES = 1000
OVER_SEEDS = 'Over seeds: 95 % interval of Welch\'s t for two runs or more on each side; says what another training would give.'
OVER_IMAGES = (
    f'Over test images: 95 % interval of {RESAMPLES:,} paired bootstrap resamples, the same images drawn for both sides, seeds '
    'averaged; says what another test set would give of these very models.'
)


class Difference(NamedTuple):
    """One figure of one contestant, held against the first contestant.

    Args:
        metric: the figure.
        contestant: label of the contestant.
        value: its mean minus that of the first.
        over_seeds: interval over training seeds; None for fewer than two runs on a side.
        over_images: interval over test images; None where predictions of the same test images are not there.
    """

    metric: Metric
    contestant: str
    value: float
    over_seeds: tuple[float, float] | None
    over_images: tuple[float, float] | None

    @property
    def better(self) -> bool | None:
        """Whether it is better (True) or worse (False) beyond each interval that there is; None where that is open."""
        found = [interval for interval in (self.over_seeds, self.over_images) if interval]
        if not found or any(low <= 0 <= high for low, high in found):
            return None
        return (self.value > 0) == self.metric.higher


def differences(match: Match, resamples: int = RESAMPLES) -> list[Difference]:
    """Every contestant but the first held against the first, figure by figure.

    Args:
        match: the contestants.
        resamples: of the bootstrap; 0 for none.
    """
    first, *others = match.contestants
    paired = resamples and others and _paired(match)
    drawn = {id(one): _resampled(one, resamples) for one in match.contestants} if paired else {}
    found = []
    for other in others:
        for metric in match.metrics:
            ours, theirs = other.values(metric.key), first.values(metric.key)
            if ours and theirs:
                pair = [drawn.get(id(one), {}).get(metric.key) for one in (other, first)]
                value = statistics.fmean(ours) - statistics.fmean(theirs)
                images = None if any(each is None for each in pair) else percentiles(pair[0] - pair[1])
                found.append(Difference(metric, other.label, value, welch(ours, theirs), images))
    return found


def welch(ours: Sequence[float], theirs: Sequence[float], level: float = LEVEL) -> tuple[float, float] | None:
    """Interval of the difference of two means, of samples whose variances may differ.

    Args:
        ours: sample that counts positive.
        theirs: sample that counts negative.
        level: share of intervals that hold the true difference.

    Returns:
        None where a sample has fewer than two values, or neither varies.

    Source: Welch, The generalization of Student's problem when several different population variances are involved,
    Biometrika 1947.
    """
    if min(len(ours), len(theirs)) < 2:
        return None
    from scipy.stats import t

    parts = [statistics.variance(sample) / len(sample) for sample in (ours, theirs)]
    middle = statistics.fmean(ours) - statistics.fmean(theirs)
    if not sum(parts):  # ties of so few runs say nothing of how far runs part
        return None
    freedom = sum(parts) ** 2 / sum(part**2 / (len(sample) - 1) for part, sample in zip(parts, (ours, theirs), strict=True))
    half = float(t.ppf((1 + level) / 2, freedom)) * math.sqrt(sum(parts))
    return middle - half, middle + half


def percentiles(values: np.ndarray, level: float = LEVEL) -> tuple[float, float] | None:
    """The middle `level` of resampled differences; None where one is not a number."""
    if np.isnan(values).any():
        return None
    low, high = np.percentile(values, [50 * (1 - level), 50 * (1 + level)])
    return float(low), float(high)


def _paired(match: Match) -> bool:
    """Whether all runs left their predictions for the same test images of the same classes."""
    runs = [run for one in match.contestants for run in one.runs]
    first = runs[0]
    return all(
        run.images
        and run.evaluation['task'] == first.evaluation['task']
        and run.evaluation['class_counts'] == first.evaluation['class_counts']
        and run.evaluation['shot_groups'] == first.evaluation['shot_groups']
        and np.array_equal(run.images['target'], first.images['target'])
        for run in runs
    )


def _resampled(one: Contestant, resamples: int) -> dict[str, np.ndarray]:
    """Each figure of each resample (R,), the mean over the contestant's runs; the draws are the same for all contestants."""
    parts = [_of_run(run, resamples) for run in one.runs]
    return {key: np.mean([part[key] for part in parts], axis=0) for key in parts[0] if all(key in part for part in parts)}


def _of_run(run: RunFiles, resamples: int) -> dict[str, np.ndarray]:
    """The evaluation's own bootstrap, from what the run kept of each image; its draws depend on the test set alone."""
    evaluation, images = run.evaluation, run.images
    counts, convention = evaluation['class_counts'], evaluation['shot_groups']['convention']
    if evaluation['task'] == 'multi_label':
        return _of_several_labels(run, resamples)
    import torch

    from mmlt.evaluation.functional import ImageStatistics
    from mmlt.evaluation.record import SingleLabelEvaluation

    probabilities = not np.isnan(images['nll']).any()
    top = torch.from_numpy(np.nan_to_num(images['top_probabilities'])).T
    statistics_ = ImageStatistics(
        torch.from_numpy(images['target']).long(), torch.from_numpy(images['top_classes']).long().T, top,
        torch.from_numpy(np.nan_to_num(images['nll'])), torch.zeros(len(images['nll'])),
    )  # fmt: skip
    whole = SingleLabelEvaluation(statistics_, counts, convention, evaluation['classes'], probabilities=probabilities)
    found = whole.resampled(np.bincount(images['target'], minlength=len(counts)), resamples)
    return {key: each for key, each in found.items() if key != 'calibration/brier'}  # the squares are not kept


def _of_several_labels(run: RunFiles, resamples: int) -> dict[str, np.ndarray]:
    from mmlt.evaluation.multi_label_record import MultiLabelEvaluation

    evaluation, images = run.evaluation, run.images
    scores = images['probabilities'].astype(np.float64)  # only their order counts, and on which side of a threshold
    cuts = np.array(evaluation['per_class']['threshold'], dtype=np.float64)
    whole = MultiLabelEvaluation(
        scores, images['target'] > 0, evaluation['class_counts'], evaluation['metrics'], [], cuts,
        evaluation['shot_groups']['convention'], evaluation['classes'],
    )  # fmt: skip
    return whole.resampled(resamples)
