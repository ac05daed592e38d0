"""Class-aware sampling: classes in turn, and the images of each class in turn."""

import numpy as np

from mmlt.arguments import number
from mmlt.datasets.samplers.base import AT_ONCE, ClassTable, Draws, LabelledDataset, Sampler
from mmlt.errors import UserError
from mmlt.registry import DATA_SAMPLERS

LENGTHS = ('dataset', 'max_count')


@DATA_SAMPLERS.register_module()
class ClassAwareSampler(Sampler):
    """Visits the classes in random cycles and takes the next few images of the class at each visit.

    Every cycle visits each class that has an image once, in a new random order. Within a class the images come in
    random order without replacement; when all have been taken they are shuffled again. Cycles start afresh every epoch.
    An image with several labels is one of each of its classes; one without a label is never drawn.

    Args:
        dataset: see `Sampler`.
        seed: see `Sampler`.
        num_samples: draws in an epoch; None for what `length` says.
        samples_per_class: consecutive draws from a class at each visit, at least 1.
        length: `'dataset'`, an epoch has N draws; `'max_count'`, it has C times the images of the largest class, which
            can be many times N, and is what the decoupling code counts as an epoch. C are the classes with an image.

    Raises:
        UserError: an unknown `length`, or `samples_per_class` below 1.

    Source: Shen et al., Relay Backpropagation, ECCV 2016, as used by Kang et al. (decoupling), ICLR 2020.
    """

    several = True

    def __init__(
        self,
        dataset: LabelledDataset,
        seed: int | None = 0,
        num_samples: int | None = None,
        samples_per_class: int = 4,
        length: str = 'dataset',
    ) -> None:
        if length not in LENGTHS:
            raise UserError(f'ClassAwareSampler: length must be one of {", ".join(LENGTHS)}, got {length!r}.')
        self.length = length
        self.samples_per_class = number(self, 'samples_per_class', samples_per_class, least=1, whole=True)
        super().__init__(dataset, seed, num_samples)
        self.table = ClassTable(self.labels, self.class_counts)
        self._short = np.int32 if self.table.counts.sum() < 2**31 else np.int64  # an order can have millions of draws

    def default_length(self) -> int:
        """What `length` says."""
        if self.length == 'dataset':
            return len(self.labels)
        return int(self.class_counts.max() * np.count_nonzero(self.class_counts))

    def notice(self) -> str | None:
        """How many images no class has."""
        if without := 0 if self.labels.ndim == 1 else int((~self.labels.any(axis=1)).sum()):
            return (
                f'ClassAwareSampler draws by class: {without:,} of {len(self.labels):,} images show no class and are not '
                'trained on; RepeatFactorSampler draws them too.'
            )
        return None

    def class_probabilities(self, epoch: int) -> np.ndarray:
        """See `Sampler.class_probabilities`: equal ones of the classes with an image."""
        present = self.class_counts > 0
        return present / present.sum()

    def draw(self, draws: Draws, epoch: int) -> np.ndarray:
        """See `Sampler.draw`. An order can be far longer than the data set, so it is made piece by piece, in its place."""
        per_visit, present = self.samples_per_class, self.table.classes
        num_cycles = -(-self.num_samples // (per_visit * len(present)))
        order = np.empty(self.num_samples, dtype=self._short)  # first the place in `present` of each draw's class
        for where, _, visited in draws.shuffle_groups(np.full(num_cycles, len(present))):
            piece = order[where.start * per_visit : where.stop * per_visit]
            piece[:] = np.repeat(visited, per_visit)[: len(piece)]
        images, starts = self._queues(draws, np.bincount(order, minlength=len(present)))
        for first in range(0, len(order), AT_ONCE):
            piece = order[first : first + AT_ONCE]
            number = np.arange(first, first + len(piece))
            # Every class comes once a cycle, so this is the index of the draw among those of its class.
            turn = number // (per_visit * len(present)) * per_visit + number % per_visit
            piece[:] = images[starts[piece] + turn]
        return order

    def _queues(self, draws: Draws, needed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """For each class with an image enough permutations of its images, one after another.

        Args:
            draws: the random numbers of the epoch.
            needed: (K,) draws from each class.

        Returns:
            images: (Q,) indices, the queue of one class behind that of another.
            starts: (K,) where each queue starts.
        """
        counts = self.class_counts[self.table.classes]
        rounds = -(-needed // counts)  # (K,)
        sizes = counts * rounds
        images = np.empty(sizes.sum(), dtype=self._short)
        first_image = np.repeat(self.table.starts[self.table.classes].astype(self._short), rounds)
        permutations = np.repeat(counts.astype(self._short), rounds)
        for where, group, within in draws.shuffle_groups(permutations):
            images[where] = self.table.images[first_image[group] + within]
        return images, np.cumsum(sizes) - sizes
