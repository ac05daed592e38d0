"""Samplers that draw a class from a distribution, then an image of it uniformly; all draws are independent.

Images are drawn with replacement: an epoch may miss an image and repeat another. `ClassAwareSampler` is the one that
goes through the images of a class in turn.
"""

from abc import abstractmethod

import numpy as np

from mmlt.arguments import number
from mmlt.datasets.samplers.base import ClassTable, Draws, LabelledDataset, Sampler
from mmlt.registry import DATA_SAMPLERS


class ClassProbabilitySampler(Sampler):
    """Base: a subclass gives the probability of each class.

    Args:
        dataset: see `Sampler`.
        seed: see `Sampler`.
        num_samples: draws in an epoch; None for the number of images.
    """

    def __init__(self, dataset: LabelledDataset, seed: int | None = 0, num_samples: int | None = None) -> None:
        super().__init__(dataset, seed, num_samples)
        self.table = ClassTable(self.labels, self.class_counts)

    @abstractmethod
    def class_weights(self, counts: np.ndarray, epoch: int) -> np.ndarray:
        """Weights (K,), any scale, of the K classes that have an image, from their counts (K,) float64."""

    def class_probabilities(self, epoch: int) -> np.ndarray:
        """Probability of each class in `epoch`, (C,) float64, sums to 1; 0 for a class without an image."""
        probabilities = np.zeros(len(self.class_counts))
        present = self.table.classes
        weights = self.class_weights(self.class_counts[present].astype(np.float64), epoch)
        probabilities[present] = weights / weights.sum()
        return probabilities

    def draw(self, draws: Draws, epoch: int) -> np.ndarray:
        """See `Sampler.draw`."""
        present = self.table.classes
        edges = np.cumsum(self.class_probabilities(epoch)[present])
        # The last edge may lie just below 1; leaving it out of the search sends all of the rest to the last class.
        classes = present[np.searchsorted(edges[:-1], draws.uniform(self.num_samples), side='right')]
        return self.table.pick(classes, draws.uniform(self.num_samples))


@DATA_SAMPLERS.register_module()
class ClassBalancedSampler(ClassProbabilitySampler):
    """Each draw takes a class uniformly, then an image of it uniformly, with replacement."""

    def class_weights(self, counts: np.ndarray, epoch: int) -> np.ndarray:
        """All equal."""
        return np.ones_like(counts)


@DATA_SAMPLERS.register_module()
class PowerSampler(ClassProbabilitySampler):
    """Classes in proportion to `n_c ** power`: 1 is instance-balanced, 0.5 square-root, 0 class-balanced sampling.

    Args:
        dataset: see `Sampler`.
        seed: see `Sampler`.
        num_samples: draws in an epoch; None for the number of images.
        power: any number; negative ones prefer rare classes.

    Source: Kang et al., Decoupling Representation and Classifier for Long-Tailed Recognition, ICLR 2020, eq. 1.
    """

    def __init__(
        self,
        dataset: LabelledDataset,
        seed: int | None = 0,
        num_samples: int | None = None,
        power: float = 0.5,
    ) -> None:
        super().__init__(dataset, seed, num_samples)
        self.power = number(self, 'power', power)

    def class_weights(self, counts: np.ndarray, epoch: int) -> np.ndarray:
        """`n_c ** power`, scaled by the largest count so that no power overflows early."""
        return (counts / counts.max()) ** self.power


@DATA_SAMPLERS.register_module()
class ReversedSampler(ClassProbabilitySampler):
    """Classes in proportion to `1 / n_c`: the rarest class is drawn most.

    Source: Zhou et al., BBN: Bilateral-Branch Network with Cumulative Learning, CVPR 2020, section 4.2.
    """

    def class_weights(self, counts: np.ndarray, epoch: int) -> np.ndarray:
        """`1 / n_c`."""
        return 1 / counts


@DATA_SAMPLERS.register_module()
class ProgressiveSampler(ClassProbabilitySampler):
    """From instance-balanced in the first epoch to class-balanced in the last, linearly in the probabilities.

    `p_c = (1 - s) * n_c / N + s / C` with `s = epoch / (num_epochs - 1)`, epochs counted from 0; later epochs stay
    class-balanced, and a schedule of one epoch is instance-balanced.

    Args:
        dataset: see `Sampler`.
        num_epochs: length of the schedule, at least 1.
        seed: see `Sampler`.
        num_samples: draws in an epoch; None for the number of images.

    Raises:
        UserError: `num_epochs` below 1.

    Source: Kang et al., Decoupling Representation and Classifier for Long-Tailed Recognition, ICLR 2020, eq. 2, with
    the schedule's end put on the last epoch.
    """

    def __init__(
        self,
        dataset: LabelledDataset,
        num_epochs: int,
        seed: int | None = 0,
        num_samples: int | None = None,
    ) -> None:
        super().__init__(dataset, seed, num_samples)
        self.num_epochs = number(self, 'num_epochs', num_epochs, least=1, whole=True)

    def class_weights(self, counts: np.ndarray, epoch: int) -> np.ndarray:
        """The mixture of both distributions."""
        share = min(epoch / max(self.num_epochs - 1, 1), 1.0)
        return (1 - share) * counts / counts.sum() + share / len(counts)
