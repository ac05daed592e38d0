"""What is computed for plots, against slow references."""

import numpy as np
import pytest
from sklearn.metrics import precision_recall_curve

from mmlt.analysis.charts.calibration import priors_of
from mmlt.analysis.charts.confusion import heat, in_blocks, share_matrix
from mmlt.analysis.charts.course import evaluations, thinned, training_loss
from mmlt.analysis.charts.frequency import Z, wilson
from mmlt.analysis.charts.precision_recall import precision_at


def test_wilson_is_where_a_share_would_be_just_as_surprising():
    share, number = np.array([0.0, 0.3, 0.5, 1.0, 0.2]), np.array([10, 50, 7, 3, 0])
    for end in wilson(share, number):
        assert np.abs(share - end)[:4] == pytest.approx((Z * np.sqrt(end * (1 - end) / number.clip(1)))[:4])
        assert np.isnan(end[4])
    low, high = wilson(share, number)
    assert (low[:4] >= -1e-12).all() and (high[:4] <= 1 + 1e-12).all() and (low[:4] < high[:4]).all()


def test_shares_of_a_confusion_matrix():
    order = np.array([2, 0, 1])
    share = share_matrix([0, 0, 2], [0, 1, 0], [3, 1, 5], order)
    assert share.tolist() == [[0, 1, 0], [0, 0.75, 0.25], [0, 0, 0]]


@pytest.mark.parametrize(('size', 'most'), [(7, 3), (9, 3), (5, 5), (4, 9)])
def test_blocks_of_a_matrix(size, most):
    share = np.random.default_rng(0).random((size, size))
    share /= share.sum(axis=1, keepdims=True)
    found = in_blocks(share, most)
    assert found.shape == (min(size, most),) * 2 and found.sum(axis=1) == pytest.approx(1)
    if size > most:
        edges = np.linspace(0, size, most + 1).round().astype(int)
        for i in range(most):
            for j in range(most):
                block = share[edges[i] : edges[i + 1], edges[j] : edges[j + 1]]
                assert found[i, j] == pytest.approx(block.sum(axis=1).mean())


def test_right_and_wrong_have_colours_of_their_own():
    pixels = np.asarray(heat(np.array([[1.0, 0.0], [0.25, 0.75]])))
    assert pixels[..., 3].tolist() == [[255, 0], [128, 221]]
    assert (pixels[0, 0, :3] == pixels[1, 1, :3]).all() and (pixels[0, 0, :3] != pixels[1, 0, :3]).any()


@pytest.mark.parametrize('ties', [False, True])
def test_precision_at_a_recall(ties):
    random = np.random.default_rng(3)
    scores, shown = random.random(60), random.random(60) < 0.3
    scores = scores.round(1) if ties else scores
    precision, recall, _ = precision_recall_curve(shown, scores)
    wanted = np.linspace(0, 1, 11)
    slow = [max(p for p, r in zip(precision, recall, strict=True) if r >= w - 1e-12 and r > 0) for w in wanted]
    assert precision_at(scores, shown, wanted) == pytest.approx(slow)


def test_losses_are_placed_by_epoch():
    lines = [
        {'step': 3, 'epoch': 0, 'loss': 3.0, 'loss_a': 1.0, 'loss_b': 2.0, 'lr': 0.1},
        {'step': 6, 'epoch': 0, 'loss': 2.0, 'loss_a': 1.0, 'loss_b': 1.0, 'lr': 0.1},
        {'step': 6, 'epoch': 1, 'accuracy/top1': 50.0},
        {'step': 12, 'epoch': 1, 'loss': 1.0, 'loss_a': 0.5, 'loss_b': 0.5, 'lr': 0.1},
        {'step': 12, 'epoch': 2, 'accuracy/top1': 60.0, 'accuracy/few': 10.0},
    ]
    epochs, losses = training_loss(lines)
    assert epochs.tolist() == [0.5, 1, 2] and losses['loss'].tolist() == [3, 2, 1]
    assert set(losses) == {'loss', 'loss_a', 'loss_b'}
    epochs, values = evaluations(lines, ['accuracy/top1', 'accuracy/few', 'accuracy/many'])
    assert epochs.tolist() == [1, 2] and values['accuracy/top1'].tolist() == [50, 60] and 'accuracy/many' not in values
    assert np.isnan(values['accuracy/few'][0]) and values['accuracy/few'][1] == 10
    assert training_loss([])[1] == {} and thinned(np.arange(10.0), 5).tolist() == [0.5, 2.5, 4.5, 6.5, 8.5]


def test_priors_go_from_forward_over_uniform_to_backward():
    metrics = {'prior/uniform': 3.0, 'prior/backward_2': 2.0, 'prior/forward_50': 5.0, 'prior/forward_2': 4.0, 'nll': 1.0}
    assert priors_of(metrics) == [('forward 50', 5.0), ('forward 2', 4.0), ('uniform', 3.0), ('backward 2', 2.0)]
