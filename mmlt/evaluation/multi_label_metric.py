"""The evaluator of runs on images with several labels: average precision, ROC and F1 by class and by shot group."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from mmengine.evaluator import BaseMetric
from torch import Tensor

from mmlt.errors import UserError
from mmlt.evaluation.gather import distinct_images, gather_columns
from mmlt.evaluation.multi_label import area_under_roc, average_precision, f1_score
from mmlt.evaluation.multi_label_record import MultiLabelEvaluation
from mmlt.priors import CONVENTIONS, GROUPS, shot_groups
from mmlt.registry import METRICS

KEYS = ('mAP', 'AUROC', 'F1')  # the first chooses the best epoch


@METRICS.register_module()
class MultiLabelMetric(BaseMetric):
    """Macro means over the classes, in percent: `mAP`, `AUROC`, `F1`, and each by shot group, `mAP/few` for instance.

    The shot groups come from the training images that show a class. A class that no test image shows (for AUROC also one
    that all show) is left out of the means, a group without classes out of the metrics. For F1 a class is predicted from a
    probability of one half on, or from its own threshold where the model has one.

    Args:
        convention: how many, medium and few are cut, see `mmlt.priors.shot_groups`.
        collect_device: 'cpu' or 'gpu', where the ranks' numbers are gathered.

    Raises:
        UserError: no convention has that name.

    Attributes:
        details: after `evaluate`, `by_label`: one dict a class with `class`, `name`, `train_images`, `group`, `test_images`,
            `AP`, `AUROC`, `F1` (percent, None where there is none) and `threshold` (a probability); and `shot_groups` as
            `ShotGroupMetric` has them.
    """

    default_prefix = ''

    def __init__(self, convention: str = 'standard', collect_device: str = 'cpu') -> None:
        super().__init__(collect_device=collect_device)
        if convention not in CONVENTIONS:
            raise UserError(f'no shot-group convention is called {convention!r}: use one of {", ".join(CONVENTIONS)}.')
        self.convention = convention
        self.details: dict[str, Any] = {}
        self._num_classes = 0
        self._thresholds: Tensor | None = None
        self._evaluation: MultiLabelEvaluation | None = None  # of the last evaluation

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Accumulate the predictions of a batch.

        Args:
            data_batch: not used.
            data_samples: dicts with `logits` (B, K), `target` (B, K), `indices` (B,), and where the model has thresholds
                `thresholds` (K,), logits.

        Raises:
            UserError: the images have one label each.
        """
        for sample in data_samples:
            logits, target = sample['logits'], sample['target']
            if target.shape != logits.shape:
                raise UserError(
                    f'MultiLabelMetric needs targets of the logits\' shape {tuple(logits.shape)}, got {tuple(target.shape)}: '
                    'images with one label each are evaluated by ShotGroupMetric.'
                )
            self._num_classes, self._thresholds = logits.shape[1], sample.get('thresholds')
            integers = torch.cat([sample['indices'].to(logits.device)[None], (target > 0.5).T.long()])  # (1 + K, B)
            self.results.append((integers, logits.T))

    def evaluate(self, size: int) -> dict[str, float]:
        """The metrics over the whole test set, the same on every rank.

        Args:
            size: number of images in the test set.

        Raises:
            UserError: the training class counts are missing or do not fit, the images seen are not exactly the test set, or a
                prediction is not finite.
        """
        results, self.results = self.results, []
        known = (self.dataset_meta or {}).get('class_counts') or []
        if not any(known):
            raise UserError(
                "MultiLabelMetric needs the training class counts in dataset_meta['class_counts']: evaluate a model that was "
                'trained by mmlt, whose checkpoint holds them.'
            )
        if results:
            integers, floats = (torch.cat(parts, dim=1) for parts in zip(*results, strict=True))
        else:  # a rank without images
            integers, floats = torch.empty(1 + len(known), 0, dtype=torch.int64), torch.empty(len(known), 0)
        integers, floats, num_classes = gather_columns(integers, floats, self._num_classes, self.collect_device)
        if num_classes not in (0, len(known)):
            raise UserError(
                f'the model predicts {num_classes} classes, but the training class counts name {len(known)}: set num_classes '
                f'of the head to {len(known)}.'
            )
        first = distinct_images(integers[0], size)
        return self.compute_metrics([integers[1:, first], floats[:, first]])

    def compute_metrics(self, results: list[Tensor]) -> dict[str, float]:
        """Metrics, and `details`, of the distinct images.

        Args:
            results: targets of 0 and 1, and logits, each (K, N) on the CPU.
        """
        shown, logits = results[0].numpy() > 0, results[1].double().numpy()
        if not np.isfinite(logits).all():
            raise UserError(
                'predictions for the test images are not finite: the training has diverged, try a lower learning rate or '
                '--precision fp32.'
            )
        counts = [int(count) for count in self.dataset_meta['class_counts']]
        try:
            groups = shot_groups(counts, self.convention)
        except ValueError as error:  # a convention made for another number of classes
            raise UserError(str(error)) from error
        cuts = np.zeros(len(counts)) if self._thresholds is None else self._thresholds.double().cpu().numpy()
        by_class = {
            'mAP': [average_precision(*pair) for pair in zip(logits, shown, strict=True)],
            'AUROC': [area_under_roc(*pair) for pair in zip(logits, shown, strict=True)],
            'F1': [f1_score(row >= cut, own) for row, cut, own in zip(logits, cuts, shown, strict=True)],
        }
        self.details = dict(
            by_label=self._by_label(by_class, counts, groups, shown.sum(axis=1), 1 / (1 + np.exp(-cuts))),
            shot_groups=dict(convention=self.convention, **{name: len(groups[name]) for name in GROUPS}),
        )
        metrics = {}
        for key in KEYS:
            for name, ids in {key: range(len(counts)), **{f'{key}/{group}': groups[group] for group in GROUPS}}.items():
                values = [by_class[key][c] for c in ids if by_class[key][c] is not None]
                if values:
                    metrics[name] = 100 * float(np.mean(values))
        if KEYS[0] not in metrics:
            raise UserError('no test image shows any class: check the test set.')
        names = (self.dataset_meta or {}).get('classes')
        self._evaluation = MultiLabelEvaluation(
            logits.T, shown.T, counts, metrics, self.details['by_label'], cuts, self.convention, names
        )
        return metrics

    def evaluation(self, probabilities: bool = True) -> MultiLabelEvaluation:
        """Everything there is to say of the last `evaluate`, on the rank that asks.

        Args:
            probabilities: as `ShotGroupMetric` has it; no figure here depends on it.

        Raises:
            RuntimeError: nothing has been evaluated yet.
        """
        if self._evaluation is None:
            raise RuntimeError('nothing has been evaluated yet.')
        return self._evaluation

    def _by_label(self, by_class: dict, counts: list[int], groups: dict, images: np.ndarray, cuts: np.ndarray) -> list[dict]:
        group_of = {int(index): name for name, ids in groups.items() for index in ids}
        names = (self.dataset_meta or {}).get('classes') or list(map(str, range(len(counts))))
        rows = []
        for c, count in enumerate(counts):
            row = dict(zip(('AP', 'AUROC', 'F1'), (by_class[key][c] for key in KEYS), strict=True))
            row = {key: None if value is None else 100 * value for key, value in row.items()}
            common = {'class': c, 'name': str(names[c]), 'train_images': count, 'group': group_of[c]}
            rows.append({**common, 'test_images': int(images[c]), **row, 'threshold': float(cuts[c])})
        return rows
