"""mmpretrain's metrics on the records of mmlt's classifiers."""

import numpy as np
import pytest
import torch
from sklearn.metrics import precision_recall_fscore_support, top_k_accuracy_score

from mmlt.errors import UserError
from mmlt.evaluation.mmpretrain_metric import as_metric
from mmlt.evaluation.shot_group_metric import ShotGroupMetric
from mmlt.registry import METRICS


def evaluated(cfg: dict, logits: torch.Tensor, target: torch.Tensor, order: torch.Tensor) -> dict:
    """The metric of images that come in an order, some of them twice, in batches of 7."""
    metric = as_metric(METRICS.build(cfg))
    for places in order.split(7):
        metric.process(None, [dict(logits=logits[places], target=target[places], indices=places)])
    return metric.evaluate(len(target))


@pytest.fixture
def predictions():
    """Logits (40, 6), labels (40,), and an order of 46 in which 6 images come twice."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(40, 6, generator=generator)
    target = torch.randint(0, 6, (40,), generator=generator)
    order = torch.cat([torch.randperm(40, generator=generator), torch.arange(6)])
    return logits, target, order


def test_each_image_counts_once(predictions):
    logits, target, order = predictions
    metrics = evaluated(dict(type='mmpretrain.Accuracy', topk=(1, 3)), *predictions)
    for k in (1, 3):
        expected = 100 * top_k_accuracy_score(target, logits.numpy(), k=k, labels=np.arange(6))
        assert metrics[f'accuracy/top{k}'] == pytest.approx(expected, rel=1e-5)
    found = evaluated(dict(type='SingleLabelMetric', items=('precision', 'recall', 'f1-score')), *predictions)
    expected = precision_recall_fscore_support(target, logits.argmax(1), average='macro', zero_division=0)
    names = ('single-label/precision', 'single-label/recall', 'single-label/f1-score')
    assert [found[name] for name in names] == pytest.approx([100 * value for value in expected[:3]], rel=1e-5)


def test_a_second_evaluation_starts_afresh(predictions):
    logits = predictions[0]
    metric = as_metric(METRICS.build(dict(type='mmpretrain.Accuracy')))
    for labels, expected in ((logits.argmax(1), 100), (logits.argmin(1), 0)):
        metric.process(None, [dict(logits=logits, target=labels, indices=torch.arange(40))])
        assert metric.evaluate(40)['accuracy/top1'] == expected


def test_a_test_set_seen_in_part_is_refused(predictions):
    logits, target, _ = predictions
    with pytest.raises(UserError, match='39 distinct test images were evaluated, but the test set has 40'):
        evaluated(dict(type='mmpretrain.Accuracy'), logits, target, torch.arange(39))


def test_metrics_of_other_tasks_are_refused():
    with pytest.raises(UserError, match="mmpretrain's ConfusionMatrix measures no classification with one label"):
        as_metric(METRICS.build(dict(type='ConfusionMatrix')))
    own = ShotGroupMetric()
    assert as_metric(own) is own
