"""The full evaluation of images with one label, against scikit-learn, torchmetrics and slow loops."""

import json
import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from reference import cases, mean, place, softmax
from sklearn.metrics import (
    brier_score_loss,
    confusion_matrix,
    log_loss,
    precision_recall_fscore_support,
    top_k_accuracy_score,
)
from torchmetrics.classification import MulticlassAccuracy, MulticlassCalibrationError

from mmlt.evaluation import ShotGroupMetric
from mmlt.evaluation.priors import RATIOS, exponential_prior
from mmlt.priors import shot_groups

CASES = cases()


def evaluate(logits, target, counts, batch=13, **meta):
    metric = ShotGroupMetric()
    metric.dataset_meta = dict(class_counts=counts, **meta)
    for places in torch.arange(len(target)).split(batch):
        metric.process(None, [dict(logits=logits[places], target=target[places], indices=places)])
    metrics = metric.evaluate(len(target))
    return metric.evaluation(), metrics


@pytest.fixture(params=CASES, scope='module')
def case(request):
    logits, target, counts = CASES[request.param]
    full, metrics = evaluate(logits, target, counts)
    return logits, target, counts, full.record(resamples=0), metrics


def test_the_record_is_strict_json_and_holds_what_results_json_holds(case):
    *_, record, metrics = case
    json.dumps(record, allow_nan=False)
    assert {name: record['metrics'][name] for name in metrics} == metrics


def test_each_class_as_scikit_learn_has_it(case):
    logits, target, counts, record, _ = case
    prediction, classes = logits.argmax(1), np.arange(len(counts))
    precision, recall, f1, images = precision_recall_fscore_support(
        target, prediction, labels=classes, zero_division=np.nan
    )
    found = {name: np.array(values, dtype=float) for name, values in record['per_class'].items()}
    held = images > 0
    assert found['test_images'].tolist() == images.tolist()
    assert found['predicted_images'].tolist() == np.bincount(prediction, minlength=len(counts)).tolist()
    np.testing.assert_allclose(found['recall'], 100 * recall, rtol=1e-12)
    np.testing.assert_allclose(found['precision'], np.where(held, 100 * precision, np.nan), rtol=1e-12)
    np.testing.assert_allclose(found['f1'], np.where(held, 100 * np.nan_to_num(f1), np.nan), rtol=1e-12)
    groups = dict(macro=classes, **shot_groups(counts))
    for name, ids in groups.items():
        own = [c for c in ids if held[c]]
        keys = [f'{kind}/{name}' for kind in ('precision', 'recall', 'f1')]
        if not own:
            assert not set(keys) & set(record['metrics'])
            continue
        expected = precision_recall_fscore_support(target, prediction, labels=own, average='macro', zero_division=0)[:3]
        assert [record['metrics'][key] for key in keys] == pytest.approx([100 * value for value in expected], rel=1e-12)


def test_means_of_the_accuracies(case):
    logits, target, _, record, _ = case
    recall = [100 * mean(logits.argmax(1)[target == c] == c) for c in target.unique()]
    metrics = record['metrics']
    assert metrics['accuracy/mean_class'] == pytest.approx(mean(recall), rel=1e-12)
    harmonic = 0 if 0 in recall else len(recall) / math.fsum(1 / value for value in recall)
    assert metrics['accuracy/harmonic_mean'] == pytest.approx(harmonic, rel=1e-12)
    assert metrics['accuracy/geometric_mean'] == pytest.approx(math.prod(recall) ** (1 / len(recall)), rel=1e-9)


def test_top_5_counts_the_first_of_equal_classes(case):
    logits, target, counts, record, _ = case
    if len(counts) <= 5:
        assert 'accuracy/top5' not in record['metrics']
        return
    hits = []
    for row, label in zip(logits.tolist(), target.tolist(), strict=True):
        first = sorted(range(len(row)), key=lambda c: (-row[c], c))[:5]
        hits.append(label in first)
    assert record['metrics']['accuracy/top5'] == pytest.approx(100 * mean(hits), rel=1e-12)


def test_calibration_against_slow_loops(case):
    logits, target, counts, record, _ = case
    rows, labels, metrics = [softmax(row) for row in logits.tolist()], target.tolist(), record['metrics']
    top = [max(range(len(row)), key=lambda c: (row[c], -c)) for row in rows]
    bins = [[] for _ in range(15)]
    for row, best, label in zip(rows, top, labels, strict=True):
        bins[place(np.float32(row[best]).item())].append((row[best], best == label))
    gaps = [(len(inside), abs(mean(p for p, _ in inside) - mean(r for _, r in inside))) for inside in bins if inside]
    assert metrics['calibration/ece'] == pytest.approx(sum(n * gap for n, gap in gaps) / len(rows), abs=2e-6)
    assert metrics['calibration/mce'] == pytest.approx(max(gap for _, gap in gaps), abs=2e-6)
    shown = record['reliability']
    assert shown['images'] == [len(inside) for inside in bins] and len(shown['edges']) == 16
    for place_, inside in enumerate(bins):
        for name, part in (('confidence', 0), ('accuracy', 1)):
            value = shown[name][place_]
            assert value is None if not inside else value == pytest.approx(mean(item[part] for item in inside), abs=2e-6)
    brier = mean(sum((p - (c == label)) ** 2 for c, p in enumerate(row)) for row, label in zip(rows, labels, strict=True))
    assert metrics['calibration/brier'] == pytest.approx(brier, abs=2e-6)
    total = 0.0
    for c in range(len(counts)):
        members = [[] for _ in range(15)]
        for row, label in zip(rows, labels, strict=True):
            members[place(np.float32(row[c]).item())].append((row[c], label == c))
        total += sum(abs(math.fsum(p - hit for p, hit in inside)) for inside in members)
    expected = total / len(rows) / len(counts)
    assert metrics['calibration/classwise_ece'] == pytest.approx(expected, abs=2e-6)


def test_the_libraries_agree_on_random_predictions():
    logits, target, counts = CASES['random']
    logits = logits.double()
    record = evaluate(logits, target, counts)[0].record(resamples=0)['metrics']
    probabilities, classes = logits.softmax(1), len(counts)
    for norm, key in (('l1', 'calibration/ece'), ('max', 'calibration/mce')):
        library = MulticlassCalibrationError(classes, n_bins=15, norm=norm)(probabilities, target)
        assert record[key] == pytest.approx(library.item(), rel=1e-5)
    assert record['nll'] == pytest.approx(log_loss(target, probabilities.numpy(), labels=np.arange(classes)), rel=1e-9)
    whole = brier_score_loss(target, probabilities.numpy(), labels=np.arange(classes), scale_by_half=False)
    assert record['calibration/brier'] == pytest.approx(whole, rel=1e-9)
    top5 = top_k_accuracy_score(target, logits.numpy(), k=5, labels=np.arange(classes))
    assert record['accuracy/top5'] == pytest.approx(100 * top5, rel=1e-12)
    macro = MulticlassAccuracy(classes, average='macro')(logits, target)
    assert record['accuracy/mean_class'] == pytest.approx(100 * macro.item(), rel=1e-6)


def test_priors_weigh_the_accuracies_exactly(case):
    """Exact fractions: an accuracy under a prior is what a test set with these shares of images would give."""
    logits, target, counts, record, _ = case
    order = sorted(range(len(counts)), key=lambda c: (-counts[c], c))
    right = logits.argmax(1) == target
    for ratio, sign in [(ratio, sign) for ratio in (*RATIOS, 1) for sign in ('forward', 'backward')]:
        weights = [float(ratio) ** (-rank / max(len(counts) - 1, 1)) for rank in range(len(counts))]
        if sign == 'backward':
            weights.reverse()
        shares = {c: Fraction(weights[rank]) for rank, c in enumerate(order) if (target == c).any()}
        accuracy = {c: Fraction(int(right[target == c].sum()), int((target == c).sum())) for c in shares}
        expected = float(100 * sum(shares[c] * accuracy[c] for c in shares) / sum(shares.values()))
        name = 'uniform' if ratio == 1 else f'{sign}_{ratio}'
        assert record['metrics'][f'prior/{name}'] == pytest.approx(expected, rel=1e-12)


def test_a_prior_has_its_ratio_and_follows_the_training_counts():
    prior = exponential_prior([5, 80, 7, 80], 50)
    assert prior.sum() == pytest.approx(1) and prior.max() / prior.min() == pytest.approx(50)
    assert np.argsort(-prior).tolist() == [1, 3, 2, 0]
    assert exponential_prior([5, 80, 7, 80], 50, backward=True)[[0, 2, 3, 1]] == pytest.approx(prior[[1, 3, 2, 0]])
    np.testing.assert_allclose(prior[[1, 3, 2]] / prior[[3, 2, 0]], 50 ** (1 / 3))  # one step of the profile each


def test_confusion_as_scikit_learn_has_it(case):
    logits, target, counts, record, _ = case
    whole = confusion_matrix(target, logits.argmax(1), labels=np.arange(len(counts)))
    cells = record['confusion']
    found = np.zeros_like(whole)
    found[cells['true'], cells['predicted']] = cells['images']
    assert (found == whole).all() and all(cells['images'])
    groups = list(shot_groups(counts).values())
    for ids, shares in zip(groups, record['group_confusion']['share'], strict=True):
        rows = whole[ids]
        expected = [rows[:, others].sum() / rows.sum() if rows.sum() else None for others in groups]
        assert shares == pytest.approx(expected)
    wrong = [(-whole[t, p], t, p) for t in range(len(counts)) for p in range(len(counts)) if t != p and whole[t, p]]
    found = [(-pair['images'], pair['true'], pair['predicted']) for pair in record['confused_pairs']]
    assert found == sorted(wrong)[:50]
    assert all(pair['share'] == pair['images'] / whole[pair['true']].sum() for pair in record['confused_pairs'])


def test_arrays_of_the_images():
    logits, target, counts = CASES['random']
    order = torch.randperm(len(target), generator=torch.Generator().manual_seed(1))
    metric = ShotGroupMetric()
    metric.dataset_meta = dict(class_counts=counts)
    metric.process(None, [dict(logits=logits[order], target=target[order], indices=order)])
    metric.evaluate(len(target))
    arrays = metric.evaluation().arrays()
    best = logits.softmax(1).sort(descending=True, stable=True)
    assert {name: (str(each.dtype), each.shape) for name, each in arrays.items()} == dict(
        target=('int32', (160,)), top_classes=('int32', (160, 5)), top_probabilities=('float32', (160, 5)),
        nll=('float32', (160,)),
    )  # fmt: skip
    assert (arrays['target'] == target.numpy()).all() and (arrays['top_classes'] == best.indices[:, :5].numpy()).all()
    np.testing.assert_allclose(arrays['top_probabilities'], best.values[:, :5], rtol=1e-5)
    np.testing.assert_allclose(arrays['nll'], torch.nn.functional.cross_entropy(logits, target, reduction='none'), rtol=1e-5)


def test_fewer_than_five_classes_leave_places_empty():
    full, _ = evaluate(*CASES['three classes'])
    arrays = full.arrays()
    assert (arrays['top_classes'][:, 3:] == -1).all() and (arrays['top_probabilities'][:, 3:] == 0).all()
    np.testing.assert_allclose(arrays['top_probabilities'].sum(1), 1, rtol=1e-6)


def test_outputs_that_are_no_probabilities_say_nothing_of_calibration():
    logits, target, counts = CASES['random']
    metric = ShotGroupMetric()
    metric.dataset_meta = dict(class_counts=counts)
    metric.process(None, [dict(logits=logits, target=target, indices=torch.arange(len(target)))])
    metric.evaluate(len(target))
    full = metric.evaluation(probabilities=False)
    record = full.record(resamples=20)
    for names in (record['metrics'], record['intervals']['metrics']):
        assert names and not [name for name in names if name.startswith(('calibration/', 'nll'))]
    assert record['reliability'] is None and np.isnan(full.arrays()['nll']).all()
