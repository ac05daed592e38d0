"""The evaluator of every run: accuracy by shot group, calibration and likelihood, each image counted once."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from mmengine.dist import all_reduce, get_rank
from mmengine.evaluator import BaseMetric
from torch import Tensor

from mmlt.errors import UserError
from mmlt.evaluation.calibration import NUM_BINS, ClasswiseSums
from mmlt.evaluation.functional import (
    TOP,
    ImageStatistics,
    metrics_from_statistics,
    per_class_accuracy,
    statistics_of_log_probabilities,
)
from mmlt.evaluation.gather import distinct_images, gather_columns
from mmlt.evaluation.record import SingleLabelEvaluation
from mmlt.priors import CONVENTIONS, GROUPS, shot_groups
from mmlt.registry import METRICS

OWN_PLACES = 2**40  # an image's place among those of its rank is below this


@METRICS.register_module()
class ShotGroupMetric(BaseMetric):
    """Accuracy overall, by class and by shot group, with calibration error and likelihood.

    The shot groups come from the TRAINING class counts in ``dataset_meta['class_counts']``. Batches are reduced to a
    few numbers an image on their own device; nothing waits for that device before :meth:`evaluate`. Images that a
    distributed sampler drew twice, to give all ranks equally many, count once.

    Args:
        convention: how many, medium and few are cut, see :func:`mmlt.priors.shot_groups`.
        collect_device: 'cpu' or 'gpu', where the ranks' numbers are gathered.

    Raises:
        UserError: no convention has that name.

    Attributes:
        details: after :meth:`evaluate`, ``per_class``: one dict a class with ``class``, ``name``, ``train_images``,
            ``group``, ``test_images`` and ``accuracy`` (percent, None without a test image); and ``shot_groups``: the
            ``convention`` and the number of classes in ``many``, ``medium`` and ``few``.
    """

    default_prefix = ''

    def __init__(self, convention: str = 'standard', collect_device: str = 'cpu') -> None:
        super().__init__(collect_device=collect_device)
        if convention not in CONVENTIONS:
            raise UserError(f'no shot-group convention is called {convention!r}: use one of {", ".join(CONVENTIONS)}.')
        self.convention = convention
        self.details: dict[str, Any] = {}
        self._num_classes = 0
        self._statistics: ImageStatistics | None = None  # of the last evaluation
        self._classwise: np.ndarray | None = None
        self._sums: ClasswiseSums | None = None
        self._pending: tuple[Tensor, Tensor] | None = None

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Accumulate the predictions of a batch.

        Args:
            data_batch: not used.
            data_samples: dicts with ``logits`` (B, K), ``target`` (B,) and ``indices`` (B,), the images' places in the
                test set.
        """
        if not self.results:
            self._sums = self._pending = None  # of an evaluation that was broken off
        for sample in data_samples:
            logits, target = sample['logits'], sample['target']
            if logits.ndim != 2 or target.shape != logits.shape[:1]:
                raise UserError(
                    f'a metric needs logits (N, K) and target (N,), got {tuple(logits.shape)} and {tuple(target.shape)}: hand '
                    'over one target an image; images with several labels are evaluated by MultiLabelMetric.'
                )
            log_probability = torch.log_softmax(logits if logits.dtype == torch.float64 else logits.float(), dim=1)
            statistics = statistics_of_log_probabilities(log_probability, target)
            self._num_classes = logits.shape[1]
            self.results.append((statistics, sample['indices'].to(statistics.target.device)))
            self._add_pending()
            # A distributed sampler may draw images twice in its last batch: that one waits until it is known which.
            self._pending = (log_probability, statistics.target)

    def _add_pending(self, which: Tensor | None = None) -> None:
        """Take the batch that waits into the sums by class: all its images, or some."""
        if self._pending is None:
            return
        log_probability, target = self._pending
        if self._sums is None:
            self._sums = ClasswiseSums(log_probability.shape[1], log_probability.device)
        chosen = slice(None) if which is None else which.to(target.device)
        self._sums.add(log_probability[chosen].exp(), target[chosen])
        self._pending = None

    def evaluate(self, size: int) -> dict[str, float]:
        """Metrics over the whole test set, the same on every rank.

        Args:
            size: number of images in the test set.

        Returns:
            See :func:`mmlt.evaluation.functional.classification_metrics`.

        Raises:
            UserError: the training class counts are missing or do not fit the predictions, or the images seen are not
                exactly the test set.
        """
        results, self.results = self.results, []
        integers, floats, num_classes = gather_columns(*_packed(results), self._num_classes, self.collect_device)
        known = len(self._class_counts())
        if num_classes not in (0, known):
            raise UserError(
                f'the model predicts {num_classes} classes, but the training class counts name {known}: '
                f'set num_classes of the head to {known}.'
            )
        first = distinct_images(integers[0], size)
        self._classwise = self._gather_classwise(integers[1], first, known)
        return self.compute_metrics([*integers[2:, first], *floats[:, first]])

    def _gather_classwise(self, places: Tensor, first: np.ndarray, num_classes: int) -> np.ndarray | None:
        """The sums by class over the distinct images of all ranks.

        Args:
            places: (N',) rank * `OWN_PLACES` + place among the rank's images, of all ranks' images.
            first: (N,) which of them count.
            num_classes: K.

        Returns:
            int64 (3, K * B); None where an image was drawn twice before a rank's last batch, which is then in the sums.
        """
        rank = get_rank()
        kept = places[torch.from_numpy(first)]
        of_rank = (places // OWN_PLACES == rank).sum()
        own = kept[kept // OWN_PLACES == rank] % OWN_PLACES
        waiting = len(self._pending[1]) if self._pending else 0
        begin = int(of_rank) - waiting  # of the batch that waits
        complete = torch.tensor([int((own < begin).sum() == begin)])
        self._add_pending((own[own >= begin] - begin).sort().values)
        sums, self._sums = self._sums, None
        total = sums.stacked().cpu() if sums else torch.zeros(3, num_classes * NUM_BINS, dtype=torch.int64)
        all_reduce(total)
        all_reduce(complete, 'min')
        return total.numpy() if int(complete) else None

    def compute_metrics(self, results: list[Tensor]) -> dict[str, float]:
        """Metrics, and `details`, of the distinct images.

        Args:
            results: the rows of `ImageStatistics.packed`, each (N,) on the CPU.
        """
        integers, floats = torch.stack(results[: 1 + TOP]), torch.stack(results[1 + TOP :])
        statistics, class_counts = ImageStatistics.unpacked(integers, floats), self._class_counts()
        try:
            groups = shot_groups(class_counts, self.convention)
        except ValueError as error:  # a convention made for another number of classes
            raise UserError(str(error)) from error
        metrics = metrics_from_statistics(statistics, len(class_counts), groups)
        self._statistics = statistics
        self.details = {
            'per_class': self._per_class(statistics, class_counts, groups),
            'shot_groups': {
                'convention': self.convention,
                **{name: len(groups[name]) for name in GROUPS},
            },
        }
        return metrics

    def evaluation(self, probabilities: bool = True) -> SingleLabelEvaluation:
        """Everything there is to say of the last `evaluate`, on the rank that asks.

        Args:
            probabilities: whether the softmax of the outputs gives any.

        Raises:
            RuntimeError: nothing has been evaluated yet.
        """
        if self._statistics is None:
            raise RuntimeError('nothing has been evaluated yet.')
        names = (self.dataset_meta or {}).get('classes')
        return SingleLabelEvaluation(
            self._statistics, self._class_counts(), self.convention, names, self._classwise, probabilities
        )

    def _class_counts(self) -> list[int]:
        counts = (self.dataset_meta or {}).get('class_counts')
        if counts is None or not any(counts):  # a model's buffer is all zero until it is trained
            raise UserError(
                "ShotGroupMetric needs the training class counts in dataset_meta['class_counts']: evaluate "
                'a model that was trained by mmlt, whose checkpoint holds them, or set them on the metric.'
            )
        return [int(count) for count in counts]

    def _per_class(
        self, statistics: ImageStatistics, class_counts: list[int], groups: dict[str, np.ndarray]
    ) -> list[dict[str, Any]]:
        accuracy, images = per_class_accuracy(statistics.prediction, statistics.target, len(class_counts))
        group_of = {int(index): name for name, ids in groups.items() for index in ids}
        names = (self.dataset_meta or {}).get('classes') or [str(index) for index in range(len(class_counts))]
        return [
            {
                'class': index,
                'name': str(names[index]),
                'train_images': count,
                'group': group_of.get(index, ''),
                'test_images': int(images[index]),
                'accuracy': accuracy[index].item() if images[index] else None,
            }
            for index, count in enumerate(class_counts)
        ]


def _packed(results: list[tuple[ImageStatistics, Tensor]]) -> tuple[Tensor, Tensor]:
    """int64 (8, n) of index, place on all ranks, target and top classes; float64 (7, n), see `ImageStatistics.packed`."""
    if not results:
        return torch.empty(3 + TOP, 0, dtype=torch.int64), torch.empty(TOP + 2, 0, dtype=torch.float64)
    parts = [statistics.packed() for statistics, _ in results]
    indices = torch.cat([indices.long() for _, indices in results])
    places = torch.arange(len(indices), device=indices.device) + get_rank() * OWN_PLACES
    integers = torch.cat([torch.stack([indices, places]), torch.cat([whole for whole, _ in parts], dim=1)])
    floats = torch.cat([real for _, real in parts], dim=1)
    return integers, floats if floats.device.type == 'mps' else floats.double()
