"""The metrics against scikit-learn and against slow loops."""

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, balanced_accuracy_score, log_loss, recall_score

from mmlt.errors import UserError
from mmlt.evaluation import (
    classification_metrics,
    expected_calibration_error,
    negative_log_likelihood,
    per_class_accuracy,
    shot_group_accuracy,
)

CLASS_COUNTS = [500, 300, 101, 100, 60, 20, 19, 5]  # many: 0 to 2, medium: 3 to 5, few: 6 and 7


def sample(num_images=400, num_classes=8, seed=0):
    generator = torch.Generator().manual_seed(seed)
    target = torch.randint(num_classes, (num_images,), generator=generator)
    logits = torch.randn(num_images, num_classes, generator=generator, dtype=torch.float64)
    logits[torch.arange(num_images), target] += 1.0
    return logits, target


def loop_ece(probabilities, target, num_bins):
    """Image by image, with the bins' edges compared one by one."""
    total = 0.0
    for b in range(num_bins):
        low, high = b / num_bins, (b + 1) / num_bins
        hits, confidences = [], []
        for row, label in zip(probabilities.tolist(), target.tolist(), strict=True):
            top = max(row)
            if low < top <= high:
                hits.append(row.index(top) == label)
                confidences.append(top)
        if hits:
            total += len(hits) / len(target) * abs(sum(hits) / len(hits) - sum(confidences) / len(confidences))
    return total


def test_matches_scikit_learn():
    logits, target = sample()
    metrics = classification_metrics(logits, target, CLASS_COUNTS)
    prediction, probabilities = logits.argmax(1).numpy(), logits.softmax(1)
    recall = 100 * recall_score(target.numpy(), prediction, average=None)

    assert set(metrics) == {
        'accuracy/top1',
        'accuracy/mean_class',
        'accuracy/many',
        'accuracy/medium',
        'accuracy/few',
        'calibration/ece',
        'nll',
    }
    assert metrics['accuracy/top1'] == pytest.approx(100 * accuracy_score(target, prediction), rel=1e-12)
    assert metrics['accuracy/mean_class'] == pytest.approx(100 * balanced_accuracy_score(target, prediction), rel=1e-12)
    assert metrics['accuracy/many'] == pytest.approx(recall[:3].mean(), rel=1e-12)
    assert metrics['accuracy/medium'] == pytest.approx(recall[3:6].mean(), rel=1e-12)
    assert metrics['accuracy/few'] == pytest.approx(recall[6:].mean(), rel=1e-12)
    assert metrics['calibration/ece'] == pytest.approx(loop_ece(probabilities, target, 15), rel=1e-9)
    assert metrics['nll'] == pytest.approx(log_loss(target, probabilities.numpy(), labels=range(8)), rel=1e-9)
    assert negative_log_likelihood(logits, target) == pytest.approx(metrics['nll'], rel=1e-12)
    assert all(type(value) is float for value in metrics.values())


@pytest.mark.parametrize('num_bins', [1, 5, 10, 15])
def test_calibration_error_on_bin_edges(num_bins):
    top = torch.tensor([i / 10 for i in range(5, 11)], dtype=torch.float64).repeat(7)
    probabilities = torch.stack((top, 1 - top), dim=1)
    target = torch.arange(len(top)) % 2
    assert expected_calibration_error(probabilities, target, num_bins) == pytest.approx(
        loop_ece(probabilities, target, num_bins), abs=1e-12
    )


def test_calibration_error_known_values():
    sure = torch.tensor([[1.0, 0.0]] * 4)
    assert expected_calibration_error(sure, torch.tensor([0, 0, 0, 0])) == 0
    assert expected_calibration_error(sure, torch.tensor([0, 0, 1, 1])) == pytest.approx(0.5)


def test_group_mean_is_over_classes_not_images():
    target = torch.tensor([0] * 9 + [1])
    logits = torch.nn.functional.one_hot(torch.zeros(10, dtype=torch.int64), 2).float()
    metrics = classification_metrics(logits, target, [300, 200])
    assert metrics['accuracy/top1'] == pytest.approx(90)
    assert metrics['accuracy/many'] == metrics['accuracy/mean_class'] == pytest.approx(50)


def test_group_without_a_class_is_absent():
    logits, target = sample(num_classes=3)
    metrics = classification_metrics(logits, target, [5000, 2000, 150])
    assert 'accuracy/many' in metrics
    assert not {'accuracy/medium', 'accuracy/few'} & set(metrics)
    assert all(np.isfinite(value) for value in metrics.values())


def test_class_missing_from_the_test_set_is_left_out():
    logits, target = sample()
    keep = (target != 1) & (target != 6) & (target != 7)  # no few-shot class is left
    logits, target = logits[keep], target[keep]
    metrics = classification_metrics(logits, target, CLASS_COUNTS)
    recall = {c: 100 * (logits[target == c].argmax(1) == c).double().mean().item() for c in (0, 2, 3, 4, 5)}
    assert metrics['accuracy/many'] == pytest.approx((recall[0] + recall[2]) / 2)
    assert metrics['accuracy/mean_class'] == pytest.approx(sum(recall.values()) / 5)
    assert 'accuracy/few' not in metrics


def test_per_class_accuracy_counts_images():
    accuracy, images = per_class_accuracy(torch.tensor([0, 2, 2]), torch.tensor([0, 0, 2]), 4)
    assert images.tolist() == [2, 0, 1, 0]
    assert accuracy[[0, 2]].tolist() == [50, 100] and accuracy[[1, 3]].isnan().all()
    groups = {'many': np.array([0, 2]), 'few': np.array([1, 3]), 'medium': np.array([], dtype=np.int64)}
    assert shot_group_accuracy(accuracy, groups) == {'many': 75.0}


def test_half_precision_is_raised():
    logits, target = sample()
    for dtype in (torch.bfloat16, torch.float16):
        half = logits.to(dtype)
        assert classification_metrics(half, target, CLASS_COUNTS) == classification_metrics(
            half.float(), target, CLASS_COUNTS
        )


@pytest.mark.parametrize(
    ('logits', 'target', 'counts', 'message'),
    [
        (torch.zeros(2, 3), torch.tensor([0, 1]), [10, 5], 'predicts 3 classes.*name 2'),
        (torch.zeros(2, 3), torch.tensor([0, 3]), [10, 5, 2], 'labels run from 0 to 3'),
        (torch.zeros(2, 3), torch.tensor([-1, 0]), [10, 5, 2], 'labels run from -1'),
        (torch.zeros(2, 3), torch.tensor([0]), [10, 5, 2], 'one target an image'),
        (torch.zeros(0, 3), torch.zeros(0, dtype=torch.int64), [10, 5, 2], 'no test image'),
        (torch.tensor([[float('nan'), 0], [0, 1]]), torch.tensor([0, 1]), [10, 5], '1 of 2 test images are not finite'),
    ],
)
def test_wrong_input_gets_one_sentence(logits, target, counts, message):
    with pytest.raises(UserError, match=message):
        classification_metrics(logits, target, counts)


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
def test_gpu_gives_the_same_numbers():
    logits, target = sample(2000)
    expected = classification_metrics(logits, target, CLASS_COUNTS)
    assert classification_metrics(logits.cuda(), target.cuda(), CLASS_COUNTS) == pytest.approx(expected, rel=1e-9)
