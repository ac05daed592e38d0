"""Classification metrics as pure functions on tensors.

Units: accuracies are percent (0 to 100), the calibration error is a fraction (0 to 1), the likelihood is in nats.
Logits and probabilities are raised to float32 (float64 stays); means over images and classes are taken in float64.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from mmlt.errors import UserError
from mmlt.priors import shot_groups

TOP = 5  # classes kept of each image


class ImageStatistics(NamedTuple):
    """All that the metrics need to know of each image: a few numbers in place of one logit a class.

    Attributes:
        target: int64 (N,), the true class.
        top_classes: int64 (5, N), the classes with the largest logits, the likeliest first (of equals the one of the
            smaller number); -1 below the last of fewer than five classes.
        top_probabilities: float (5, N), their softmax probabilities; 0 below the last of fewer than five classes.
        nll: float (N,), the negative log-likelihood of the true class, in nats.
        squares: float (N,), the sum of the squared probabilities of all classes.
    """

    target: Tensor
    top_classes: Tensor
    top_probabilities: Tensor
    nll: Tensor
    squares: Tensor

    @property
    def prediction(self) -> Tensor:
        """int64 (N,), the class with the largest logit (the first one of equals)."""
        return self.top_classes[0]

    @property
    def confidence(self) -> Tensor:
        """Float (N,), the softmax probability of the prediction."""
        return self.top_probabilities[0]

    def packed(self) -> tuple[Tensor, Tensor]:
        """Two tensors with a column an image: int64 (6, N), and float (7, N)."""
        integers = torch.cat([self.target[None], self.top_classes])
        return integers, torch.cat([self.top_probabilities, self.nll[None], self.squares[None]])

    @classmethod
    def unpacked(cls, integers: Tensor, floats: Tensor) -> 'ImageStatistics':
        """What `packed` took apart."""
        return cls(integers[0], integers[1:], floats[:TOP], floats[TOP], floats[TOP + 1])

    def cpu(self) -> 'ImageStatistics':
        """The same numbers in CPU memory, in two transfers (integers, floats)."""
        return self.unpacked(*(part.cpu() for part in self.packed()))


def image_statistics(logits: Tensor, target: Tensor) -> ImageStatistics:
    """Reduce logits to what the metrics need, on the logits' device and without waiting for it.

    Args:
        logits: (N, K), any float type.
        target: (N,), integers in [0, K).

    Raises:
        UserError: the shapes do not fit together.
    """
    if logits.ndim != 2 or target.shape != logits.shape[:1]:
        raise UserError(
            f'a metric needs logits (N, K) and target (N,), got {tuple(logits.shape)} and '
            f'{tuple(target.shape)}: hand over one target an image.'
        )
    return statistics_of_log_probabilities(torch.log_softmax(_raised(logits), dim=1), target)


def statistics_of_log_probabilities(log_probability: Tensor, target: Tensor) -> ImageStatistics:
    """See `image_statistics`.

    Args:
        log_probability: (N, K), float32 or float64; logarithms of probabilities.
        target: (N,), integers in [0, K).
    """
    target = target.to(device=log_probability.device, dtype=torch.int64)
    num_classes = log_probability.shape[1]
    left, classes, values = log_probability, [], []
    for place in range(min(TOP, num_classes)):  # max takes the first of equals, which topk and sort do not promise
        value, top = left.max(dim=1)
        classes.append(top)
        values.append(value)
        if place + 1 < min(TOP, num_classes):
            left = left.scatter(1, top.unsqueeze(1), -torch.inf)
    lacking = TOP - len(classes)
    top_classes = F.pad(torch.stack(classes), (0, 0, 0, lacking), value=-1)
    top_probabilities = F.pad(torch.stack(values).exp(), (0, 0, 0, lacking))
    # A target outside [0, K) is found later, where the numbers are on the CPU; here it must not stop a GPU.
    column = target.clamp(0, num_classes - 1).unsqueeze(1)
    nll = -log_probability.gather(1, column).squeeze(1)
    return ImageStatistics(target, top_classes, top_probabilities, nll, (2 * log_probability).exp().sum(dim=1))


def metrics_from_statistics(
    statistics: ImageStatistics, num_classes: int, groups: Mapping[str, np.ndarray], num_bins: int = 15
) -> dict[str, float]:
    """The metrics of a whole test set; see :func:`classification_metrics`.

    Args:
        statistics: of all N images, N > 0.
        num_classes: K.
        groups: shot group name -> class ids, as :func:`mmlt.priors.shot_groups` gives them.
        num_bins: bins of the calibration error.

    Raises:
        UserError: there is no image, a target is not a class, or a prediction is not finite.
    """
    statistics = statistics.cpu()
    target, prediction, confidence, nll = (
        statistics.target, statistics.prediction, statistics.confidence, statistics.nll
    )  # fmt: skip
    if len(target) == 0:
        raise UserError('there is no test image to evaluate: check the test set.')
    if not bool(((target >= 0) & (target < num_classes)).all()):
        raise UserError(
            f'the test labels run from {int(target.min())} to {int(target.max())}, but the model has '
            f'classes 0 to {num_classes - 1}: use a test set with the same classes as the training set.'
        )
    broken = int((~torch.isfinite(confidence) | ~torch.isfinite(nll)).sum())
    if broken:
        raise UserError(
            f'the predictions for {broken} of {len(target)} test images are not finite: the training has '
            'diverged, try a lower learning rate or --precision fp32.'
        )
    correct = prediction == target
    accuracy, _ = per_class_accuracy(prediction, target, num_classes)
    metrics = {
        'accuracy/top1': 100 * correct.double().mean().item(),
        'accuracy/mean_class': accuracy.nanmean().item(),
    }
    metrics |= {f'accuracy/{name}': value for name, value in shot_group_accuracy(accuracy, groups).items()}
    metrics['calibration/ece'] = _calibration_gap(confidence, correct, num_bins)
    metrics['nll'] = nll.double().mean().item()
    return metrics


def classification_metrics(
    logits: Tensor, target: Tensor, class_counts: Sequence[int], convention: str = 'standard'
) -> dict[str, float]:
    """All metrics of one test set.

    Args:
        logits: (N, K), any float type, on any device.
        target: (N,), integers in [0, K).
        class_counts: K numbers of TRAINING images; they define the shot groups, the test set has no say in them.
        convention: how the shot groups are cut, see :func:`mmlt.priors.shot_groups`.

    Returns:
        ``accuracy/top1``; ``accuracy/mean_class`` (mean of the per-class accuracies over the classes in the test set);
        ``accuracy/many``, ``accuracy/medium``, ``accuracy/few`` (the same over one group's classes; absent where a
        group has no class, or none that the test set holds): percent. ``calibration/ece`` (15 bins): 0 to 1.
        ``nll``: nats an image.

    Raises:
        UserError: the shapes disagree, there is no image, a target is not a class, or a prediction is not finite.
        ValueError: the convention is unknown, or made for another number of classes.
    """
    if logits.shape[-1] != len(class_counts):
        raise UserError(
            f'the model predicts {logits.shape[-1]} classes, but the training class counts name '
            f'{len(class_counts)}: set num_classes of the head to {len(class_counts)}.'
        )
    groups = shot_groups(class_counts, convention)
    return metrics_from_statistics(image_statistics(logits, target), len(class_counts), groups)


def per_class_accuracy(prediction: Tensor, target: Tensor, num_classes: int) -> tuple[Tensor, Tensor]:
    """Share of each class's images that are predicted right (recall).

    Args:
        prediction: (N,), integers in [0, K).
        target: (N,), integers in [0, K).
        num_classes: K.

    Returns:
        CPU tensors: accuracy float64 (K,) in percent, NaN for a class that the test set does not hold, and the number
        of its test images int64 (K,).
    """
    prediction, target = torch.stack((prediction, target)).cpu()
    images = torch.bincount(target, minlength=num_classes)
    correct = torch.bincount(target[prediction == target], minlength=num_classes)
    return 100 * correct.double() / images, images


def shot_group_accuracy(accuracy: Tensor, groups: Mapping[str, np.ndarray]) -> dict[str, float]:
    """Mean of the per-class accuracies over the classes of each group that the test set holds.

    Args:
        accuracy: (K,), NaN for a class without a test image, from :func:`per_class_accuracy`.
        groups: group name -> class ids.

    Returns:
        group name -> accuracy, in the unit given; a group left without a class is absent, never NaN.
    """
    found = {}
    for name, ids in groups.items():
        values = accuracy[torch.as_tensor(np.asarray(ids, dtype=np.int64))]
        values = values[~values.isnan()]
        if len(values):
            found[name] = values.double().mean().item()
    return found


def expected_calibration_error(probabilities: Tensor, target: Tensor, num_bins: int = 15) -> float:
    """Top-1 expected calibration error over bins of equal width, ``sum_b |B_b| / N * |acc(B_b) - conf(B_b)|``.

    Bin b is ``((b - 1) / num_bins, b / num_bins]``. Source: Guo et al., On Calibration of Modern Neural Networks,
    ICML 2017, equation 3.

    Args:
        probabilities: (N, K), rows that sum to 1.
        target: (N,), integers in [0, K).
        num_bins: number of bins.

    Returns:
        A fraction, 0 to 1.
    """
    confidence, prediction = _raised(probabilities).max(dim=1)
    return _calibration_gap(confidence, prediction == target.to(prediction.device), num_bins)


def negative_log_likelihood(logits: Tensor, target: Tensor) -> float:
    """Mean of ``-log softmax(logits)[target]`` over the images, in nats.

    Args:
        logits: (N, K).
        target: (N,), integers in [0, K).
    """
    return image_statistics(logits, target).nll.cpu().double().mean().item()


def _calibration_gap(confidence: Tensor, correct: Tensor, num_bins: int) -> float:
    confidence, correct = confidence.cpu().double(), correct.cpu().double()
    inner_edges = torch.arange(1, num_bins, dtype=torch.float64) / num_bins
    bins = torch.bucketize(confidence, inner_edges)  # right-closed bins
    # A bin's weight |B|/N cancels against the 1/|B| of its two means: only the sums are needed.
    gap = torch.bincount(bins, weights=correct - confidence, minlength=num_bins)
    return (gap.abs().sum() / len(confidence)).item()


def _raised(values: Tensor) -> Tensor:
    return values if values.dtype == torch.float64 else values.float()
