"""Repeat-factor sampling: images of rare classes come several times an epoch."""

import math

import numpy as np

from mmlt.arguments import number
from mmlt.datasets.samplers.base import Draws, LabelledDataset, Sampler
from mmlt.registry import DATA_SAMPLERS


@DATA_SAMPLERS.register_module()
class RepeatFactorSampler(Sampler):
    """Every image comes `r_c = max(1, sqrt(threshold / f_c))` times an epoch on average, `f_c` its class's share.

    An image with several labels comes as often as the rarest of its classes asks for.

    An image comes `floor(r)` or `ceil(r)` times, at random with the mean r. The roundings share one random offset
    (systematic sampling over a random order of the images), so the length of an epoch is always the sum of the factors,
    rounded up; where the roundings leave it one short, the first image of the order comes once more.

    Args:
        dataset: see `Sampler`.
        threshold: share of the images, in (0, 1], below which a class is repeated.
        seed: see `Sampler`.
        num_samples: draws in an epoch; None for the sum of the factors, rounded up. Fewer cut the order, more wrap it.

    Attributes:
        repeat_factors: (C,) float64, r of each class.

    Raises:
        UserError: `threshold` outside (0, 1].

    Source: Gupta et al., LVIS: A Dataset for Large Vocabulary Instance Segmentation, CVPR 2019, appendix B.
    """

    several = True

    def __init__(
        self,
        dataset: LabelledDataset,
        threshold: float,
        seed: int | None = 0,
        num_samples: int | None = None,
    ) -> None:
        self.threshold = number(self, 'threshold', threshold, above=0, most=1)
        super().__init__(dataset, seed, num_samples)

    @property
    def repeat_factors(self) -> np.ndarray:
        """(C,) float64, r of each class; an empty class has the factor of one image."""
        share = np.maximum(self.class_counts, 1) / len(self.labels)
        return np.maximum(1.0, np.sqrt(self.threshold / share))

    def _image_factors(self) -> np.ndarray:
        """(N,) float64, r of each image."""
        factors = self.repeat_factors
        if self.labels.ndim == 1:
            return factors[self.labels]
        of_images = np.ones(len(self.labels))
        for c in np.argsort(factors, kind='stable'):  # the largest factor is written last
            of_images[self.labels[:, c]] = factors[c]
        return of_images

    def class_probabilities(self, epoch: int) -> np.ndarray:
        """See `Sampler.class_probabilities`: in proportion to `n_c * r_c`; with several labels by the classes' own factors."""
        drawn = self.class_counts * self.repeat_factors
        return drawn / drawn.sum()

    def default_length(self) -> int:
        """The sum of the images' factors, rounded up (a sum that is whole but for rounding stays)."""
        if self.labels.ndim == 1:
            return math.ceil(float(self.class_counts @ self.repeat_factors) - 1e-6)
        return math.ceil(float(self._image_factors().sum()) - 1e-6)

    def draw(self, draws: Draws, epoch: int) -> np.ndarray:
        """See `Sampler.draw`."""
        images = draws.permutation(len(self.labels))
        edges = np.floor(np.cumsum(self._image_factors()[images]) + draws.uniform(1)).astype(np.int64)
        repeated = np.repeat(images, np.diff(edges, prepend=0))
        order = repeated[draws.permutation(len(repeated))]
        return order[np.arange(self.num_samples) % len(order)]
