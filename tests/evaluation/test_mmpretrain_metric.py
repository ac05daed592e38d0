"""mmpretrain's metrics on the records of mmlt's classifiers."""

import numpy as np
import pytest
import torch
from sklearn.metrics import (
    average_precision_score,
    confusion_matrix,
    precision_recall_fscore_support,
    top_k_accuracy_score,
)

from mmlt.errors import UserError
from mmlt.evaluation.mmpretrain_metric import as_metric, as_metrics
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


def test_a_confusion_matrix_and_a_number_a_class_are_tables(predictions):
    logits, target, order = predictions
    metric = as_metric(METRICS.build(dict(type='ConfusionMatrix')))
    for places in order.split(7):
        metric.process(None, [dict(logits=logits[places], target=target[places], indices=places)])
    assert metric.evaluate(40) == {}
    assert metric.tables == {'confusion_matrix/result': confusion_matrix(target, logits.argmax(1), labels=range(6)).tolist()}
    metric = as_metric(METRICS.build(dict(type='SingleLabelMetric', average=None, items=('recall',))))
    metric.process(None, [dict(logits=logits, target=target, indices=torch.arange(40))])
    assert metric.evaluate(40) == {}
    expected = precision_recall_fscore_support(target, logits.argmax(1), labels=range(6), zero_division=0)[1]
    assert metric.tables['single-label/recall_classwise'] == pytest.approx(100 * expected, rel=1e-5)


def test_several_labels(predictions):
    logits, _, order = predictions
    shown = (torch.rand(40, 6, generator=torch.Generator().manual_seed(2)) < 0.3).float()
    shown[0] = 1
    found = evaluated(dict(type='AveragePrecision'), logits, shown, order)
    expected = np.mean([average_precision_score(shown[:, c], logits[:, c]) for c in range(6)])
    assert found == {'multi-label/mAP': pytest.approx(100 * expected, rel=1e-5)}
    found = evaluated(dict(type='mmpretrain.MultiLabelMetric', thr=0.5), logits, shown, order)
    expected = precision_recall_fscore_support(shown, logits > 0, average='macro', zero_division=0)[:3]
    names = ('multi-label/precision', 'multi-label/recall', 'multi-label/f1-score')
    assert [found[name] for name in names] == pytest.approx([100 * value for value in expected], rel=1e-5)
    with pytest.raises(UserError, match='these have several: use MultiLabelMetric or AveragePrecision'):
        evaluated(dict(type='mmpretrain.Accuracy'), logits, shown, order)


def test_metrics_of_other_tasks_are_refused():
    with pytest.raises(UserError, match="mmpretrain's RetrievalRecall does not measure the classification"):
        as_metric(METRICS.build(dict(type='RetrievalRecall', topk=1)))
    own = ShotGroupMetric()
    assert as_metric(own) is own


def test_a_table_needs_the_metric_that_writes_it_down():
    matrix = METRICS.build(dict(type='ConfusionMatrix'))
    with pytest.raises(UserError, match=r"put dict\(type='ShotGroupMetric'\) beside it"):
        as_metrics([matrix])
    assert len(as_metrics([matrix, ShotGroupMetric()])) == 2
