"""Corrections of a finished classifier, without training: pure functions on logits, weights and features.

All compute in float64 and give float64; a class without a training image counts as the smallest class that has one.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from mmlt.evaluation.functional import per_class_accuracy
from mmlt.priors import ClassCounts, count_array

SMALLEST_SHARE = 1e-12
GRID = [round(0.05 * step, 2) for step in range(41)]  # of tau, 0 to 2


def log_prior(class_counts: ClassCounts) -> Tensor:
    """(K,) float64 on the CPU, natural logarithm of each class's share; see the module for empty classes."""
    counts = torch.from_numpy(count_array(class_counts).copy())
    counts = counts.clamp_min(counts[counts > 0].min())
    return (counts / counts.sum()).log()


def adjust_logits(logits: Tensor, class_counts: ClassCounts, tau: float = 1.0) -> Tensor:
    """Post-hoc logit adjustment, `z - tau * log pi`, for a model that was trained with the plain cross entropy.

    Args:
        logits: (B, K).
        class_counts: (K,) training images of each class.
        tau: strength; 1 is the correction to a uniform prior, 0 changes nothing.

    Source: Menon et al., Long-tail Learning via Logit Adjustment, ICLR 2021, eq. 9.
    """
    return logits.double() - tau * log_prior(class_counts).to(logits.device)


def correct_prior(logits: Tensor, class_counts: ClassCounts, test_prior: Tensor) -> Tensor:
    """Bayes' correction to another class prior, `z - log pi_train + log pi_test`.

    Args:
        logits: (B, K) of a model whose softmax estimates the posterior under the training prior.
        class_counts: (K,) training images of each class.
        test_prior: (K,) share of each class where the model is used, at least 0, of any sum; a share below 1e-12 counts
            as that, so that no likelihood is infinite.

    Source: Saerens et al., Adjusting the Outputs of a Classifier to New a Priori Probabilities, 2002, eq. 2.4.
    """
    target = test_prior.double().to(logits.device)
    return adjust_logits(logits, class_counts) + (target / target.sum()).clamp_min(SMALLEST_SHARE).log()


def estimate_prior(logits: Tensor, class_counts: ClassCounts, steps: int = 1000, tolerance: float = 1e-10) -> Tensor:
    """The test set's class prior of greatest likelihood, from unlabelled test images (expectation maximisation).

    Args:
        logits: (N, K) of all test images, uncorrected.
        class_counts: (K,) training images of each class.
        steps: largest number of iterations.
        tolerance: largest change of a share after which it stops.

    Returns:
        (K,) float64, sums to 1.

    Source: Saerens et al., Adjusting the Outputs of a Classifier to New a Priori Probabilities, 2002, eq. 2.9.
    """
    adjusted = adjust_logits(logits, class_counts)  # the likelihood ratios, up to a factor an image
    prior = log_prior(class_counts).to(logits.device).exp()
    for _ in range(steps):
        updated = torch.softmax(adjusted + prior.log(), dim=1).mean(dim=0)
        done = (updated - prior).abs().max() < tolerance
        prior = updated
        if done:
            break
    return prior


def normalise_weights(weight: Tensor, tau: float) -> Tensor:
    """tau-normalisation, `w_c / ||w_c|| ** tau`; the classifier's bias is dropped.

    Args:
        weight: (K, C) of a linear classifier.
        tau: 0 changes nothing, 1 gives all classes the norm 1.

    Source: Kang et al., Decoupling Representation and Classifier for Long-Tailed Recognition, ICLR 2020, eq. 6.
    """
    weight = weight.double()
    return weight / weight.norm(dim=1, keepdim=True).clamp_min(torch.finfo(weight.dtype).tiny) ** tau


def fit_temperature(logits: Tensor, target: Tensor) -> float:
    """The temperature T of smallest mean cross entropy of `z / T`, between 0.01 and 100.

    The cross entropy is convex in 1 / T; its derivative is followed to zero by bisection.

    Args:
        logits: (N, K) of images that were not trained on.
        target: (N,) int64.

    Source: Guo et al., On Calibration of Modern Neural Networks, ICML 2017, section 4.2.
    """
    logits = logits.double()
    score = logits.gather(1, target[:, None]).mean()
    low, high = 0.01, 100.0  # of 1 / T
    for _ in range(80):
        middle = (low * high) ** 0.5
        expected = (torch.softmax(middle * logits, dim=1) * logits).sum(dim=1).mean()
        low, high = (middle, high) if expected < score else (low, middle)
    return 1 / (low * high) ** 0.5


def best_tau(predict: Callable[[float], Tensor], target: Tensor, num_classes: int) -> float:
    """The tau of greatest mean class accuracy on a grid of 0 to 2 in steps of 0.05, the smallest of equals; over the
    classes that have an image here.

    Args:
        predict: corrected logits (N, K) at a tau.
        target: (N,) int64, of images that were not trained on.
        num_classes: K.
    """

    def accuracy(tau: float) -> float:
        return float(per_class_accuracy(predict(tau).argmax(1), target, num_classes)[0].nanmean())

    return max(GRID, key=accuracy)


def class_means(features: Tensor, target: Tensor, num_classes: int) -> Tensor:
    """Mean feature of each class, (K, C) float64; zero for a class without an image.

    Args:
        features: (N, C).
        target: (N,) int64.
        num_classes: K.
    """
    sums = torch.zeros(num_classes, features.shape[1], dtype=torch.float64, device=features.device)
    sums.index_add_(0, target, features.double())
    return sums / torch.bincount(target, minlength=num_classes).clamp_min(1)[:, None]


def nearest_mean_logits(features: Tensor, means: Tensor, metric: str = 'cosine') -> Tensor:
    """Nearest class mean: cosines to the class means, or negative squared distances (B, K); no probabilities.

    Args:
        features: (B, C).
        means: (K, C).
        metric: `cosine` or `euclidean`.

    Raises:
        ValueError: another metric.

    Source: Kang et al., Decoupling Representation and Classifier for Long-Tailed Recognition, ICLR 2020, section 4.1.
    """
    features = features.double()
    if metric == 'cosine':
        unit = torch.nn.functional.normalize
        return unit(features, dim=1) @ unit(means.double(), dim=1).T
    if metric == 'euclidean':
        return -torch.cdist(features, means.double()).square()
    raise ValueError(f'metric is cosine or euclidean, not {metric!r}.')
