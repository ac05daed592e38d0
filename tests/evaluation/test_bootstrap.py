"""Confidence intervals: each resample is what the metrics give for the images drawn, and the ends are its percentiles."""

import numpy as np
import pytest
import torch
from reference import cases
from scipy.stats import binom
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score

from mmlt.evaluation import MultiLabelMetric
from mmlt.evaluation.bootstrap import blocks, image_weights, intervals, stratified_draws
from mmlt.evaluation.functional import image_statistics
from mmlt.evaluation.multi_label_record import MultiLabelEvaluation
from mmlt.evaluation.record import SingleLabelEvaluation

CASES = cases()


@pytest.mark.parametrize('name', CASES)
def test_a_resample_is_an_evaluation_of_the_images_drawn(name):
    logits, target, counts = CASES[name]
    statistics = image_statistics(logits.double(), target)
    sizes = np.bincount(target, minlength=len(counts))
    found = SingleLabelEvaluation(statistics, counts).resampled(sizes, 6)
    order = np.argsort(target.numpy(), kind='stable')
    (draws,) = stratified_draws(sizes, 6)
    for number, drawn in enumerate(draws):
        places = torch.from_numpy(order[drawn])
        assert target[places].tolist() == sorted(target.tolist())  # each class keeps its images
        expected = SingleLabelEvaluation(image_statistics(logits.double()[places], target[places]), counts).metrics()
        expected.pop('calibration/mce')
        assert {key: values[number] for key, values in found.items()} == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_every_image_of_a_class_is_drawn_equally_often():
    sizes = np.array([3, 0, 50, 1])
    draws = np.concatenate(list(stratified_draws(sizes, 4000)))
    share = np.bincount(draws.ravel(), minlength=54) / len(draws)
    np.testing.assert_allclose(share, 1, atol=5 / np.sqrt(len(draws)))
    weights = np.concatenate(list(image_weights(37, 4000)))
    assert (weights.sum(1) == 37).all()
    np.testing.assert_allclose(weights.mean(0), 1, atol=5 / np.sqrt(len(weights)))
    np.testing.assert_allclose(weights.var(0), 36 / 37, atol=0.15)


def test_the_ends_are_those_of_the_binomial():
    """Of one class with 30 of 40 images right, the resamples' accuracies are binomial."""
    logits = torch.zeros(40, 2)
    logits[:30, 0] = logits[30:, 1] = 1
    full = SingleLabelEvaluation(image_statistics(logits, torch.zeros(40).long()), [9, 9])
    low, high = full.record(resamples=4000)['intervals']['metrics']['accuracy/top1']
    expected = 100 * binom.ppf([0.025, 0.975], 40, 0.75) / 40
    assert [low, high] == pytest.approx(expected, abs=2.6)  # one image


def test_resamples_come_in_blocks_and_are_the_same_again():
    assert list(blocks(10, 300_000)) == [3, 3, 3, 1] and list(blocks(5, 10**9)) == [1] * 5 and list(blocks(4, 7)) == [4]
    first, second = (np.concatenate(list(stratified_draws(np.array([4, 9]), 30))) for _ in range(2))
    assert (first == second).all()


def test_a_metric_that_some_resample_has_not_has_no_interval():
    values = {'known': np.arange(101.0), 'unknown': np.array([1.0, np.nan])}
    assert intervals(values) == {'known': [pytest.approx(2.5), pytest.approx(97.5)]}


def several(name):
    random = np.random.default_rng(2)
    logits = random.normal(size=(60, 5))
    shown = random.random((60, 5)) < [0.5, 0.3, 0.2, 0.1, 0.05]
    shown[0] = True
    if name == 'ties':
        logits = logits.round()
    if name == 'never shown':
        shown[:, 4] = False
    if name == 'always shown':
        shown[:, 0] = True
    if name == 'one image':
        logits, shown = logits[:1], shown[:1]
    return logits, shown


@pytest.mark.parametrize('name', ['random', 'ties', 'never shown', 'always shown', 'one image'])
def test_several_labels_weighted_as_scikit_learn_weighs_them(name):
    logits, shown = several(name)
    metric = MultiLabelMetric()
    metric.dataset_meta = dict(class_counts=[300, 120, 60, 15, 4])
    cuts = torch.tensor([0.0, 0.4, -0.3, 9.0, 0.0])
    metric.process(None, [dict(logits=torch.from_numpy(logits), target=torch.from_numpy(shown).double(),
                               indices=torch.arange(len(shown)), thresholds=cuts)])  # fmt: skip
    whole = metric.evaluate(len(shown))
    full = metric.evaluation()
    found = full.resampled(7)
    assert found.keys() == whole.keys()
    (draws,) = image_weights(len(shown), 7)
    for number, weights in enumerate(draws):
        by_class = dict(mAP=[], AUROC=[], F1=[])
        for c in range(5):
            own, scores, positive = shown[:, c], logits[:, c], weights[shown[:, c]].sum()
            if positive:
                by_class['mAP'].append((c, average_precision_score(own, scores, sample_weight=weights)))
                by_class['F1'].append((c, f1_score(own, scores >= cuts[c].item(), sample_weight=weights, zero_division=0)))
            if 0 < positive < weights.sum():
                by_class['AUROC'].append((c, roc_auc_score(own, scores, sample_weight=weights)))
        for key, values in by_class.items():
            for group, ids in {'': range(5), '/many': (0, 1), '/medium': (2,), '/few': (3, 4)}.items():
                own = [100 * value for c, value in values if c in ids]
                if key + group in found:
                    expected = np.mean(own) if own else np.nan
                    assert found[key + group][number] == pytest.approx(expected, rel=1e-9, nan_ok=True), key + group
    record = full.record(resamples=50)
    assert record['metrics'] == whole and record['intervals']['resamples'] == 50
    for name_, (low, high) in record['intervals']['metrics'].items():
        assert low <= high and name_ in whole


def test_a_large_set_has_fewer_resamples(monkeypatch):
    drawn = []
    monkeypatch.setattr(MultiLabelEvaluation, 'resampled', lambda self, resamples: drawn.append(resamples) or {})
    for images in (10, 300_000, 10**7):
        full = MultiLabelEvaluation(np.broadcast_to(0.0, (images, 1)), np.zeros((1, 1), bool), [1], {}, [], np.zeros(1))
        full.record()
    assert drawn == [1000, 666, 200]
