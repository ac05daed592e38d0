"""How far probabilities can be believed: of the predicted class, and of every class.

All bins are `((b - 1) / B, b / B]` with B = 15; errors are fractions, 0 to 1.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

NUM_BINS = 15
FIXED_POINT = 2.0**40  # probabilities are summed as whole multiples of its inverse: in any order the same


def bin_edges(num_bins: int = NUM_BINS) -> np.ndarray:
    """(B + 1,) float64, from 0 to 1."""
    return np.arange(num_bins + 1) / num_bins


class Reliability(NamedTuple):
    """The predictions by their confidence.

    Attributes:
        images: int64 (B,), predictions in each bin.
        confidence: float64 (B,), mean confidence in each bin; NaN in an empty one.
        accuracy: float64 (B,), share of right predictions in each bin; NaN in an empty one.
    """

    images: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray


def places_in_bins(confidence: np.ndarray, num_bins: int = NUM_BINS) -> np.ndarray:
    """The bin of each confidence, int64, from 0."""
    return np.searchsorted(bin_edges(num_bins)[1:-1], confidence, side='left')


def reliability(confidence: np.ndarray, correct: np.ndarray, num_bins: int = NUM_BINS) -> Reliability:
    """Confidence against accuracy, bin by bin.

    Args:
        confidence: (N,) probability of the predicted class, float64.
        correct: (N,) bool.
        num_bins: B.

    Source: Guo et al., On Calibration of Modern Neural Networks, ICML 2017, equations 1 and 2.
    """
    place = places_in_bins(confidence, num_bins)
    images = np.bincount(place, minlength=num_bins)
    with np.errstate(invalid='ignore'):
        sums = (np.bincount(place, weights=values, minlength=num_bins) for values in (confidence, correct))
        return Reliability(images, *(total / images for total in sums))


def maximum_calibration_error(bins: Reliability) -> float:
    """The largest gap between confidence and accuracy of a bin with an image, 0 to 1; Guo et al., equation 4."""
    return float(np.nanmax(np.abs(bins.accuracy - bins.confidence)))


def brier_score(squares: np.ndarray, nll: np.ndarray) -> np.ndarray:
    """Squared distance of the probabilities from the truth, `sum_c (p_c - y_c)^2`, of each image: (N,), 0 to 2.

    Args:
        squares: (N,) sum of the squared probabilities.
        nll: (N,) `-log` of the true class's probability.

    Source: Brier, Verification of Forecasts Expressed in Terms of Probability, 1950, equation 2.
    """
    return squares - 2 * np.exp(-nll) + 1


class ClasswiseSums:
    """Of each class and bin: images, those of the class, and the sum of the class's probability, over all images.

    The sums are whole numbers, so they do not depend on batches, ranks or order. Nothing waits for the device.

    Args:
        num_classes: K.
        device: of the probabilities.
        num_bins: B.
    """

    def __init__(self, num_classes: int, device: torch.device | str = 'cpu', num_bins: int = NUM_BINS) -> None:
        self.num_classes, self.num_bins = num_classes, num_bins
        self.images = torch.zeros(num_classes * num_bins, dtype=torch.int64, device=device)
        self.hits = torch.zeros_like(self.images)
        self.probability = torch.zeros_like(self.images)
        # A probability lies above the edges below its own, compared in its own precision.
        self._edges = torch.from_numpy(bin_edges(num_bins)[1:-1]).to(device=device, dtype=torch.float32)
        self._first = torch.arange(num_classes, device=device) * num_bins

    def add(self, probability: Tensor, target: Tensor) -> None:
        """Add a batch.

        Args:
            probability: (B, K), float32 or float64, rows that sum to 1.
            target: (B,) int64 in [0, K).
        """
        place = torch.bucketize(probability, self._edges.to(probability.dtype)) + self._first  # (B, K)
        # The scale is a power of two, so the product is exact; a NaN would be any number, and is refused elsewhere.
        scaled = (probability.nan_to_num(0.0) * FIXED_POINT).round().long()
        self.images.scatter_add_(0, place.flatten(), torch.ones_like(scaled).flatten())
        self.probability.scatter_add_(0, place.flatten(), scaled.flatten())
        own = place.gather(1, target.clamp(0, self.num_classes - 1)[:, None]).flatten()
        self.hits.scatter_add_(0, own, torch.ones_like(own))

    def stacked(self) -> Tensor:
        """int64 (3, K * B): images, hits, probability."""
        return torch.stack([self.images, self.hits, self.probability])


def classwise_calibration_error(sums: np.ndarray, num_classes: int) -> float:
    """Mean over the classes of `sum_b |B_b| / N * |share of the class - mean probability of the class|`, 0 to 1.

    Args:
        sums: int64 (3, K * B), see `ClasswiseSums.stacked`.
        num_classes: K.

    Source: Kull et al., Beyond Temperature Scaling, NeurIPS 2019, section 2 (class-wise ECE).
    """
    images, hits, probability = sums.reshape(3, num_classes, -1)
    # A bin's weight |B| / N cancels against the 1 / |B| of its two means.
    gaps = np.abs(hits - probability / FIXED_POINT).sum()
    return float(gaps / images[0].sum() / num_classes)
