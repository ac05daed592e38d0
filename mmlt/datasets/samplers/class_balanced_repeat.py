"""Class-balanced sampling that goes through the data set and repeats or thins out its images (CBD)."""

import numpy as np

from mmlt.datasets.samplers.base import Draws, Sampler
from mmlt.registry import DATA_SAMPLERS


@DATA_SAMPLERS.register_module()
class ClassBalancedRepeatSampler(Sampler):
    """Every image comes `r_c = (1 / C) / (n_c / N)` times a pass on average: wanted over given share of its class.

    Of the C classes with an image, each comes equally often. An image comes `floor(r)` times, and once more with the
    probability `r - floor(r)`; so one with r < 1 is kept with the probability r. A pass holds about N images, in random
    order. An epoch is cut from such passes, each drawn by itself: the first `num_samples` places. Unlike
    `ClassBalancedSampler`, which draws with replacement, it shows every image of a rare class, equally often but for one.

    Args:
        dataset, seed, num_samples: see `Sampler`.

    Attributes:
        repeats: (C,) float64, r of each class; 0 for a class without an image.

    Source: Iscen et al., Class-Balanced Distillation for Long-Tailed Visual Recognition, BMVC 2021, and its code.
    """

    @property
    def repeats(self) -> np.ndarray:
        """See the class."""
        counts = self.class_counts.astype(np.float64)
        wanted = len(self.labels) / np.count_nonzero(self.class_counts)
        return np.divide(wanted, counts, out=np.zeros_like(counts), where=counts > 0)

    def class_probabilities(self, epoch: int) -> np.ndarray:
        """See `Sampler.class_probabilities`: equal ones of the classes with an image."""
        present = self.class_counts > 0
        return present / present.sum()

    def draw(self, draws: Draws, epoch: int) -> np.ndarray:
        """See `Sampler.draw`."""
        repeats = self.repeats[self.labels]  # (N,)
        certain = np.floor(repeats)
        passes, length = [], 0
        while length < self.num_samples:
            times = certain + (draws.uniform(len(repeats)) < repeats - certain)
            images = np.repeat(np.arange(len(repeats)), times.astype(np.int64))
            passes.append(images[draws.permutation(len(images))])
            length += len(images)
        return np.concatenate(passes)[: self.num_samples]
