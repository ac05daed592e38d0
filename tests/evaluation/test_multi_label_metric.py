"""MultiLabelMetric against scikit-learn, with ties, whatever the batches."""

import numpy as np
import pytest
import torch
from sklearn import metrics as sk

from mmlt.errors import UserError
from mmlt.evaluation import MultiLabelMetric
from mmlt.evaluation.multi_label import area_under_roc, average_precision, best_threshold, f1_score

COUNTS = [300, 120, 60, 25, 10, 4]
NAMES = list('abcdef')


def sample(size=211, seed=0, digits=None):
    rng = np.random.default_rng(seed)
    shown = rng.random((size, 6)) < [0.5, 0.3, 0.2, 0.1, 0.05, 0.03]
    logits = (rng.normal(0, 2, (size, 6)) + 1.5 * shown).astype(np.float32)
    return (logits.round(digits) if digits is not None else logits), shown


def evaluate(logits, shown, batch=50, counts=COUNTS, thresholds=None, order=None):
    metric = MultiLabelMetric()
    metric.dataset_meta = dict(class_counts=counts, classes=NAMES)
    places = np.arange(len(logits)) if order is None else order
    for start in range(0, len(places), batch):
        part = places[start : start + batch]
        record = dict(logits=torch.tensor(logits[part]), target=torch.tensor(shown[part]).float(), indices=torch.tensor(part))
        if thresholds is not None:
            record['thresholds'] = torch.tensor(thresholds)
        metric.process(None, [record])
    return metric.evaluate(len(logits)), metric


@pytest.mark.parametrize('digits', [None, 1, 0])
@pytest.mark.parametrize('seed', range(3))
def test_means_over_classes_and_groups_are_scikit_learns(seed, digits):
    logits, shown = sample(seed=seed, digits=digits)
    found, metric = evaluate(logits, shown)
    ap = [sk.average_precision_score(shown[:, c], logits[:, c]) for c in range(6)]
    auc = [sk.roc_auc_score(shown[:, c], logits[:, c]) for c in range(6)]
    f1 = [sk.f1_score(shown[:, c], logits[:, c] >= 0) for c in range(6)]
    groups = {'': range(6), '/many': [0, 1], '/medium': [2, 3], '/few': [4, 5]}
    for name, values in (('mAP', ap), ('AUROC', auc), ('F1', f1)):
        for group, ids in groups.items():
            assert found[name + group] == pytest.approx(100 * np.mean([values[c] for c in ids]), abs=1e-10)
    assert found['mAP'] == pytest.approx(100 * sk.average_precision_score(shown, logits, average='macro'), abs=1e-10)
    assert next(iter(found)) == 'mAP'  # which chooses the best epoch
    rows = metric.details['by_label']
    assert [row['AP'] for row in rows] == pytest.approx([100 * value for value in ap], abs=1e-10)
    assert [row['test_images'] for row in rows] == shown.sum(axis=0).tolist()
    assert metric.details['shot_groups'] == dict(convention='standard', many=2, medium=2, few=2)


def test_batches_order_and_images_drawn_twice_change_nothing():
    logits, shown = sample()
    whole, _ = evaluate(logits, shown)
    order = np.random.default_rng(1).permutation(np.append(np.arange(len(logits)), [3, 7, 7]))
    assert evaluate(logits, shown, batch=17, order=order)[0] == whole


def test_a_class_that_no_image_shows_is_left_out():
    logits, shown = sample()
    shown[:, 5] = False
    shown[:, 0] = True
    found, metric = evaluate(logits, shown)
    ap = [sk.average_precision_score(shown[:, c], logits[:, c]) for c in range(5)]
    assert found['mAP'] == pytest.approx(100 * np.mean(ap), abs=1e-10)
    auc = [sk.roc_auc_score(shown[:, c], logits[:, c]) for c in range(1, 5)]
    assert found['AUROC'] == pytest.approx(100 * np.mean(auc), abs=1e-10)
    assert metric.details['by_label'][5]['AP'] is None and metric.details['by_label'][0]['AUROC'] is None
    assert 'mAP/few' in found
    shown[:, 4] = False
    assert 'mAP/few' not in evaluate(logits, shown)[0]


def test_thresholds_of_the_model_decide_f1():
    logits, shown = sample()
    cuts = [best_threshold(logits[:, c].astype(float), shown[:, c]) for c in range(6)]
    found, metric = evaluate(logits, shown, thresholds=cuts)
    f1 = [sk.f1_score(shown[:, c], logits[:, c] >= cuts[c]) for c in range(6)]
    assert found['F1'] == pytest.approx(100 * np.mean(f1), abs=1e-10)
    assert found['F1'] > evaluate(logits, shown)[0]['F1'] and found['mAP'] == evaluate(logits, shown)[0]['mAP']
    assert metric.details['by_label'][2]['threshold'] == pytest.approx(1 / (1 + np.exp(-cuts[2])))


@pytest.mark.parametrize('seed', range(5))
def test_no_threshold_is_better_than_the_best(seed):
    logits, shown = sample(size=60, seed=seed, digits=seed % 2)
    for c in range(4):
        scores = logits[:, c].astype(float)
        every = [-np.inf, *np.unique(scores), *(np.unique(scores)[1:] - 1e-6)]
        best = max(f1_score(scores >= cut, shown[:, c]) for cut in every)
        assert f1_score(scores >= best_threshold(scores, shown[:, c]), shown[:, c]) == pytest.approx(best)
    assert best_threshold(np.zeros(4), np.array([True, False, True, False])) is None
    assert best_threshold(np.arange(4.0), np.zeros(4, dtype=bool)) is None


def test_all_equal_scores():
    scores, shown = np.zeros(8), np.arange(8) < 2
    assert average_precision(scores, shown) == 0.25 and area_under_roc(scores, shown) == 0.5


def test_what_does_not_fit_is_said_in_one_sentence():
    logits, shown = sample()
    metric = MultiLabelMetric()
    with pytest.raises(UserError, match='evaluated by ShotGroupMetric'):
        metric.process(None, [dict(logits=torch.zeros(3, 6), target=torch.zeros(3).long(), indices=torch.arange(3))])
    with pytest.raises(UserError, match='predicts 6 classes, but the training class counts name 2'):
        evaluate(logits, shown, counts=[3, 4])
    with pytest.raises(UserError, match='needs the training class counts'):
        evaluate(logits, shown, counts=[0] * 6)
    with pytest.raises(UserError, match='not finite'):
        evaluate(np.full_like(logits, np.nan), shown)
    with pytest.raises(UserError, match='no test image shows any class'):
        evaluate(logits, np.zeros_like(shown))
    with pytest.raises(UserError, match='convention'):
        MultiLabelMetric(convention='usual')
