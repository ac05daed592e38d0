"""mmpretrain's metrics of classification, on what mmlt's classifiers predict."""

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.evaluator import BaseMetric
from torch import Tensor

from mmlt.errors import UserError
from mmlt.evaluation.gather import distinct_images, gather_columns

ONE_LABEL = ('Accuracy', 'SingleLabelMetric', 'ConfusionMatrix')
SEVERAL_LABELS = ('MultiLabelMetric', 'AveragePrecision')  # they take one label an image too


class MMPretrainMetric(BaseMetric):
    """Makes mmpretrain's data samples of the images of a test set, each once, and hands them to one of its metrics.

    A data sample has `pred_score` (K,), the softmax of the logits, or their sigmoid where images have several labels;
    `pred_label` (1,); and `gt_label` (1,), or, with several labels, the labels shown, and `gt_score` (K,) of 0 and 1.

    Args:
        metric: mmpretrain's `Accuracy`, `SingleLabelMetric`, `ConfusionMatrix`, `MultiLabelMetric` or `AveragePrecision`; its
            numbers keep their names and units.

    Raises:
        UserError: a metric of another task.

    Attributes:
        tables: after `evaluate`, what of the metric's result is no single number, by name: a matrix, or a list, one number a
            class. They stand in `evaluation.json`.
    """

    default_prefix = ''

    def __init__(self, metric: BaseMetric) -> None:
        super().__init__(collect_device=metric.collect_device)
        name = type(metric).__name__
        if name not in ONE_LABEL + SEVERAL_LABELS:
            raise UserError(
                f"mmpretrain's {name} does not measure the classification of images: use "
                f'{", ".join(ONE_LABEL + SEVERAL_LABELS)}, ShotGroupMetric or MultiLabelMetric.'
            )
        self.metric = metric
        self.tables: dict[str, list] = {}
        self._several = False

    @property
    def makes_tables(self) -> bool:
        """Whether its result is more than single numbers."""
        return type(self.metric).__name__ == 'ConfusionMatrix' or getattr(self.metric, 'average', 'macro') is None

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Take in the predictions of a batch.

        Args:
            data_batch: not used.
            data_samples: dicts with `logits` (B, K), `target` (B,), or (B, K) with several labels an image, and `indices` (B,),
                the images' places in the test set.

        Raises:
            UserError: the images have several labels, and the metric takes one.
        """
        for sample in data_samples:
            logits, target = sample['logits'].float(), sample['target']
            self._several = target.ndim == 2
            if self._several and type(self.metric).__name__ in ONE_LABEL:
                raise UserError(
                    f"mmpretrain's {type(self.metric).__name__} measures images with one label each, and these have several: "
                    f'use {" or ".join(SEVERAL_LABELS)}.'
                )
            scores = logits.sigmoid() if self._several else logits.softmax(dim=1)
            labels = (target > 0.5).T.long() if self._several else target[None]
            self.results.append((torch.cat([sample['indices'].to(target.device)[None], labels]), scores.T))

    def evaluate(self, size: int) -> dict[str, float]:
        """The metric over the whole test set, the same on every rank.

        Args:
            size: number of images in the test set.

        Raises:
            UserError: the images seen are not exactly the test set.
        """
        numbers, scores = (torch.cat(parts, dim=1) for parts in zip(*self.results, strict=True))
        self.results.clear()
        numbers, scores, _ = gather_columns(numbers, scores, len(scores), self.collect_device)
        first = distinct_images(numbers[0], size)
        pairs = zip(scores[:, first].T, numbers[1:, first].T, strict=True)
        return self.compute_metrics([_several_labels(*pair) if self._several else _one_label(*pair) for pair in pairs])

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        """The single numbers of the metric, and `tables`, of data samples, one an image."""
        self.metric.dataset_meta = self.dataset_meta
        self.metric.process(None, results)
        metrics = self.metric.compute_metrics(self.metric.results)
        self.metric.results.clear()
        prefix = f'{self.metric.prefix}/' if self.metric.prefix else ''
        plain = {prefix + name: value.tolist() if isinstance(value, Tensor) else value for name, value in metrics.items()}
        self.tables = {name: value for name, value in plain.items() if isinstance(value, list)}
        return {name: float(value) for name, value in plain.items() if name not in self.tables}


def _one_label(scores: Tensor, label: Tensor) -> dict[str, Tensor]:
    return dict(pred_score=scores, pred_label=scores.argmax()[None], gt_label=label)


def _several_labels(scores: Tensor, shown: Tensor) -> dict[str, Tensor]:
    return dict(
        pred_score=scores, pred_label=torch.nonzero(scores >= 0.5)[:, 0], gt_label=torch.nonzero(shown)[:, 0], gt_score=shown
    )


def as_metric(metric: BaseMetric) -> BaseMetric:
    """A metric that takes the records of mmlt's classifiers: mmpretrain's through `MMPretrainMetric`, others as they are."""
    return MMPretrainMetric(metric) if type(metric).__module__.startswith('mmpretrain.') else metric


def as_metrics(metrics: Sequence[BaseMetric]) -> list[BaseMetric]:
    """See `as_metric`.

    Raises:
        UserError: one gives a table, and nothing that writes `evaluation.json` stands beside it.
    """
    found = [as_metric(metric) for metric in metrics]
    if not any(hasattr(metric, 'evaluation') for metric in found):
        for metric in found:
            if isinstance(metric, MMPretrainMetric) and metric.makes_tables:
                raise UserError(
                    f"mmpretrain's {type(metric.metric).__name__} gives a table, which stands in evaluation.json: put "
                    "dict(type='ShotGroupMetric') beside it (of several labels dict(type='mmlt.MultiLabelMetric')), which "
                    'writes that file and gives each class its accuracy.'
                )
    return found
