"""How several experts stand beside their ensemble: each one's accuracy, how often they agree, how much they differ."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from mmengine.evaluator import BaseMetric
from torch import Tensor

from mmlt.errors import UserError
from mmlt.evaluation.functional import per_class_accuracy, shot_group_accuracy
from mmlt.evaluation.gather import distinct_images, gather_columns
from mmlt.priors import shot_groups
from mmlt.registry import METRICS


class ExpertStatistics(NamedTuple):
    """What the metrics need to know of each image.

    Attributes:
        predictions: int64 (E, N), each expert's.
        agreement: float64 (N,), share of the pairs of experts that predict the same class; 1 for one expert.
        diversity: float64 (N,), mean over the experts of KL(p_k || mean of the p), in nats.
    """

    predictions: Tensor
    agreement: Tensor
    diversity: Tensor


def expert_statistics(logits: Tensor) -> ExpertStatistics:
    """Reduce the experts' logits (N, E, K) to `ExpertStatistics`, on their device and without waiting for it."""
    predictions = logits.argmax(dim=2)  # (N, E)
    experts = predictions.shape[1]
    same = (predictions[:, :, None] == predictions[:, None, :]).sum((1, 2)).double() - experts
    agreement = same / (experts * (experts - 1)) if experts > 1 else torch.ones_like(same)
    p = torch.softmax(logits.double(), dim=2)
    # Entropy of the mean minus the mean of the entropies; xlogy knows that 0 log 0 is 0.
    mean = p.mean(dim=1)
    diversity = torch.special.xlogy(p, p).sum((1, 2)) / experts - torch.special.xlogy(mean, mean).sum(1)
    return ExpertStatistics(predictions.T, agreement, diversity.clamp(min=0))


@METRICS.register_module()
class ExpertMetric(BaseMetric):
    """Accuracy of each expert, and agreement and diversity of all, over the whole test set and by shot group.

    Keys, each for `top1` (all images) and for `many`, `medium` and `few` (means over the classes of the group):
    `experts/1/...` to `experts/E/...` and `experts/best/...`, the expert with the highest `top1` (chosen on this very
    test set), accuracies in percent; `experts/agreement/...`, the share of pairs of experts that predict the same
    class, in percent; `experts/diversity/...`, the mean divergence KL(p_k || mean p) of an expert from the experts'
    mean (Jensen-Shannon), in nats.

    It goes behind `ShotGroupMetric` in a list of evaluators, and reads the records' `expert_logits` (B, E, K).

    Args:
        convention: how many, medium and few are cut, see :func:`mmlt.priors.shot_groups`.
        collect_device: 'cpu' or 'gpu', where the ranks' numbers are gathered.
    """

    default_prefix = 'experts'

    def __init__(self, convention: str = 'standard', collect_device: str = 'cpu') -> None:
        super().__init__(collect_device=collect_device)
        self.convention = convention
        self._num_experts = 0

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Accumulate a batch's records: `expert_logits` (B, E, K), `target` (B,) and `indices` (B,); others are skipped.

        Raises:
            UserError: several labels an image.
        """
        for sample in data_samples:
            if 'expert_logits' in sample:
                if sample['target'].dim() > 1:
                    raise UserError('ExpertMetric takes one label an image, and the data have several: leave it out.')
                statistics = expert_statistics(sample['expert_logits'])
                self._num_experts = len(statistics.predictions)
                labels = torch.stack([sample['target'], sample['indices']]).to(statistics.predictions.device)
                floats = torch.stack([statistics.agreement, statistics.diversity])
                self.results.append((torch.cat([labels, statistics.predictions]), floats))

    def evaluate(self, size: int) -> dict[str, float]:
        """The metrics over the whole test set of `size` images, the same on every rank; none without experts."""
        results, self.results = self.results, []
        integers = torch.cat([one for one, _ in results], dim=1) if results else torch.empty(2, 0, dtype=torch.int64)
        floats = torch.cat([one for _, one in results], dim=1) if results else torch.empty(2, 0, dtype=torch.float64)
        integers, floats, experts = gather_columns(integers, floats, self._num_experts, self.collect_device)
        if not experts:
            return {}
        first = distinct_images(integers[1], size)
        metrics = self.compute_metrics([integers[:, first], floats[:, first]])
        return {f'{self.prefix}/{name}': value for name, value in metrics.items()}

    def compute_metrics(self, results: list[Tensor]) -> dict[str, float]:
        """The metrics of the distinct images.

        Args:
            results: int64 (2 + E, N) of target, index and predictions; float64 (2, N) of agreement and diversity.
        """
        (target, _, *predictions), (agreement, diversity) = results
        counts = self.dataset_meta['class_counts']
        groups = shot_groups(counts, self.convention)
        metrics = {}
        for number, prediction in enumerate(predictions, start=1):
            accuracy, _ = per_class_accuracy(prediction, target, len(counts))
            metrics[f'{number}/top1'] = 100 * (prediction == target).double().mean().item()
            metrics |= {f'{number}/{name}': value for name, value in shot_group_accuracy(accuracy, groups).items()}
        best = max(range(1, len(predictions) + 1), key=lambda number: metrics[f'{number}/top1'])
        names = ['top1', *groups]
        metrics |= {f'best/{name}': metrics[f'{best}/{name}'] for name in names if f'{best}/{name}' in metrics}
        for kind, values in (('agreement', 100 * agreement), ('diversity', diversity)):
            metrics[f'{kind}/top1'] = values.mean().item()
            by_class = class_means(values, target, len(counts))
            metrics |= {f'{kind}/{name}': value for name, value in shot_group_accuracy(by_class, groups).items()}
        return metrics


def class_means(values: Tensor, target: Tensor, num_classes: int) -> Tensor:
    """Mean of values (N,) over the images of each class: float64 (K,), NaN for a class without an image."""
    sums = np.bincount(target.numpy(), weights=values.numpy(), minlength=num_classes)
    images = np.bincount(target.numpy(), minlength=num_classes)
    with np.errstate(invalid='ignore'):
        return torch.from_numpy(sums / images)
