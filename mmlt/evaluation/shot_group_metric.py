"""The evaluator of every run: accuracy by shot group, calibration and likelihood, each image counted once."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from mmengine.evaluator import BaseMetric
from torch import Tensor

from mmlt.errors import UserError
from mmlt.evaluation.functional import (
    ImageStatistics,
    image_statistics,
    metrics_from_statistics,
    per_class_accuracy,
)
from mmlt.evaluation.gather import distinct_images, gather_columns
from mmlt.priors import CONVENTIONS, GROUPS, shot_groups
from mmlt.registry import METRICS


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

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Accumulate the predictions of a batch.

        Args:
            data_batch: not used.
            data_samples: dicts with ``logits`` (B, K), ``target`` (B,) and ``indices`` (B,), the images' places in the
                test set.
        """
        for sample in data_samples:
            statistics = image_statistics(sample['logits'], sample['target'])
            self._num_classes = sample['logits'].shape[1]
            self.results.append((statistics, sample['indices'].to(statistics.target.device)))

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
        first = distinct_images(integers[2], size)
        return self.compute_metrics([*integers[:2, first], *floats[:, first]])

    def compute_metrics(self, results: list[Tensor]) -> dict[str, float]:
        """Metrics, and `details`, of the distinct images.

        Args:
            results: prediction, target, confidence and nll, each (N,) on the CPU.
        """
        statistics, class_counts = ImageStatistics(*results), self._class_counts()
        try:
            groups = shot_groups(class_counts, self.convention)
        except ValueError as error:  # a convention made for another number of classes
            raise UserError(str(error)) from error
        metrics = metrics_from_statistics(statistics, len(class_counts), groups)
        self.details = {
            'per_class': self._per_class(statistics, class_counts, groups),
            'shot_groups': {
                'convention': self.convention,
                **{name: len(groups[name]) for name in GROUPS},
            },
        }
        return metrics

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
    """One int64 (3, n) of prediction, target and index, and one float64 (2, n) of confidence and nll."""
    if not results:
        return torch.empty(3, 0, dtype=torch.int64), torch.empty(2, 0, dtype=torch.float64)
    integers = torch.cat([torch.stack((s.prediction, s.target, indices.long())) for s, indices in results], dim=1)
    floats = torch.cat([torch.stack((s.confidence, s.nll)) for s, _ in results], dim=1)
    return integers, floats if floats.device.type == 'mps' else floats.double()
