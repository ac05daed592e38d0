"""Accuracy where the classes occur as often as a test set does not have them: per-class accuracies weighed anew.

No image is thrown away or drawn: with the accuracy `a_c` of each class, the accuracy under the prior `p` is exactly
`sum_c p_c a_c`. Sampled test sets, as the papers use them, give this number with noise.
"""

from collections.abc import Sequence

import numpy as np

from mmlt.priors import ClassCounts, count_array

RATIOS = (50, 25, 10, 5, 2)  # of SADE's tables


def exponential_prior(class_counts: ClassCounts, ratio: float, backward: bool = False) -> np.ndarray:
    """Share of each class under an exponential profile, `ratio ** (-r / (K - 1))` and normalised.

    `r` is the rank of the class: 0 for the one with the most training images (of equals the one of the smaller number), K - 1
    for the last; backward, the last has 0.

    Args:
        class_counts: (K,) TRAINING images of each class.
        ratio: largest over smallest share, at least 1; 1 is uniform.
        backward: the rarer in training, the more frequent in the test.

    Returns:
        (K,) float64, sums to 1.

    Source: Hong et al., Disentangling Label Distribution for Long-tailed Visual Recognition (LADE), CVPR 2021, section 4.1;
    the ratios are those of Zhang et al. (SADE), NeurIPS 2022, table 2.
    """
    counts = count_array(class_counts)
    rank = np.empty(len(counts))
    rank[np.argsort(-counts, kind='stable')] = np.arange(len(counts))
    if backward:
        rank = len(counts) - 1 - rank
    share = float(ratio) ** (-rank / max(len(counts) - 1, 1))
    return share / share.sum()


def priors_by_name(class_counts: ClassCounts, ratios: Sequence[float] = RATIOS) -> dict[str, np.ndarray]:
    """`forward_50` ... `forward_2`, `uniform`, `backward_2` ... `backward_50`, each (K,)."""
    named = {f'forward_{ratio}': exponential_prior(class_counts, ratio) for ratio in ratios}
    named['uniform'] = exponential_prior(class_counts, 1)
    return named | {f'backward_{ratio}': exponential_prior(class_counts, ratio, backward=True) for ratio in reversed(ratios)}


def accuracy_under(prior: np.ndarray, accuracy: np.ndarray) -> np.ndarray:
    """`sum_c p_c a_c / sum_c p_c` over the classes that the test set holds.

    Args:
        prior: (K,) share of each class.
        accuracy: (..., K) accuracy of each class, NaN for one that the test set does not hold (the same ones in every row).

    Returns:
        (...), in the unit of `accuracy`.
    """
    held = ~np.isnan(accuracy[(0,) * (accuracy.ndim - 1)])
    return accuracy[..., held] @ (prior[held] / prior[held].sum())
