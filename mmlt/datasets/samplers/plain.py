"""Orders that visit every image equally often: shuffled (instance-balanced) and sequential."""

import numpy as np

from mmlt.datasets.samplers.base import Draws, LabelledDataset, Sampler
from mmlt.registry import DATA_SAMPLERS


@DATA_SAMPLERS.register_module()
class ShuffleSampler(Sampler):
    """Every image once an epoch, in a new order each epoch; instance-balanced, the usual sampler.

    With `num_samples` below N an epoch is the start of a permutation, above N it goes on with further permutations.
    """

    several = True

    def draw(self, draws: Draws, epoch: int) -> np.ndarray:
        """See `Sampler.draw`."""
        total = len(self.labels)
        order = np.concatenate([draws.permutation(total) for _ in range(-(-self.num_samples // total))])
        return order[: self.num_samples]


@DATA_SAMPLERS.register_module()
class DefaultSampler(ShuffleSampler):
    """MMEngine's name for `ShuffleSampler`, and with `shuffle=False` for `SequentialSampler`.

    Args:
        dataset: as `Sampler`.
        shuffle: whether the order changes.
        seed, num_samples: as `Sampler`.
    """

    def __init__(
        self, dataset: LabelledDataset, shuffle: bool = True, seed: int | None = 0, num_samples: int | None = None
    ) -> None:
        super().__init__(dataset, seed, num_samples)
        self.shuffle = shuffle

    def draw(self, draws: Draws, epoch: int) -> np.ndarray:
        """See `Sampler.draw`."""
        return super().draw(draws, epoch) if self.shuffle else np.arange(self.num_samples) % len(self.labels)


@DATA_SAMPLERS.register_module()
class SequentialSampler(Sampler):
    """Every image once an epoch, in the order of the data set; for evaluation."""

    several = True

    def draw(self, draws: Draws, epoch: int) -> np.ndarray:
        """See `Sampler.draw`."""
        return np.arange(self.num_samples) % len(self.labels)
