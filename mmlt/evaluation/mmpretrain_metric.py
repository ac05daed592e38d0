"""mmpretrain's metrics of single-label classification, on what mmlt's classifiers predict."""

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.evaluator import BaseMetric

from mmlt.errors import UserError
from mmlt.evaluation.gather import distinct_images, gather_columns

TAKEN = ('Accuracy', 'SingleLabelMetric')


class MMPretrainMetric(BaseMetric):
    """Makes mmpretrain's data samples of the images of a test set, each once, and hands them to one of its metrics.

    Args:
        metric: mmpretrain's `Accuracy` or `SingleLabelMetric`; its numbers keep their names and units.

    Raises:
        UserError: a metric of another task, or one that gives a list of numbers, one a class.
    """

    default_prefix = ''

    def __init__(self, metric: BaseMetric) -> None:
        super().__init__(collect_device=metric.collect_device)
        name = type(metric).__name__
        if name not in TAKEN:
            raise UserError(
                f"mmpretrain's {name} measures no classification with one label an image: use "
                f'{", ".join(TAKEN)} or ShotGroupMetric.'
            )
        if getattr(metric, 'average', 'macro') is None:
            raise UserError(
                f'{name}(average=None) gives one number a class: leave average out; per_class.csv, which ShotGroupMetric '
                'makes, holds the accuracy of each class.'
            )
        self.metric = metric

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Take in the predictions of a batch.

        Args:
            data_batch: not used.
            data_samples: dicts with `logits` (B, K), `target` (B,) and `indices` (B,), the images' places in the test set.
        """
        for sample in data_samples:
            scores = sample['logits'].float().softmax(dim=1)
            numbers = torch.stack([sample['target'], sample['indices'].to(sample['target'].device)])
            self.results.append((numbers, scores.T))

    def evaluate(self, size: int) -> dict[str, float]:
        """The metric over the whole test set, the same on every rank.

        Args:
            size: number of images in the test set.

        Raises:
            UserError: the images seen are not exactly the test set.
        """
        numbers, scores = (torch.cat(parts, dim=1) for parts in zip(*self.results, strict=True))
        self.results.clear()
        (target, indices), scores, _ = gather_columns(numbers, scores, len(scores), self.collect_device)
        first = distinct_images(indices, size)
        samples = [
            dict(pred_score=row, pred_label=row.argmax()[None], gt_label=label[None])
            for row, label in zip(scores[:, first].T, target[first], strict=True)
        ]
        return self.compute_metrics(samples)

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        """The metric of data samples, one an image: `pred_score` (K,), `pred_label` (1,), `gt_label` (1,)."""
        self.metric.dataset_meta = self.dataset_meta
        self.metric.process(None, results)
        metrics = self.metric.compute_metrics(self.metric.results)
        self.metric.results.clear()
        prefix = f'{self.metric.prefix}/' if self.metric.prefix else ''
        return {prefix + name: float(value) for name, value in metrics.items()}


def as_metric(metric: BaseMetric) -> BaseMetric:
    """A metric that takes the records of mmlt's classifiers: mmpretrain's through `MMPretrainMetric`, others as they are."""
    return MMPretrainMetric(metric) if type(metric).__module__.startswith('mmpretrain.') else metric
