"""Class priors: the numbers of the literature, the limits, and every shot-group convention."""

import math

import numpy as np
import pytest
import torch

from mmlt.priors import CONVENTIONS, ClassPrior, effective_number_weights, shot_groups


def cifar100_counts(ratio: float) -> list[int]:
    return [int(500 * (1 / ratio) ** (c / 99)) for c in range(100)]


def cifar10_counts(ratio: float) -> list[int]:
    return [int(5000 * (1 / ratio) ** (c / 9)) for c in range(10)]


def test_effective_number_weights_of_three_classes():
    weights = effective_number_weights([100, 10, 1], 0.9999)
    assert weights.dtype == torch.float64
    np.testing.assert_allclose(weights, [0.0271587216, 0.2703688740, 2.7024724044], atol=1e-9, rtol=0)


@pytest.mark.parametrize(
    ('counts', 'first', 'last', 'ratio'),
    [(cifar100_counts(100), 0.0449, 4.3783, 97.6), (cifar10_counts(100), 0.0506, 3.9927, 78.9)],
)
def test_effective_number_weights_of_long_tailed_cifar(counts, first, last, ratio):
    weights = effective_number_weights(counts)
    assert weights[0] == pytest.approx(first, abs=5e-5)
    assert weights[-1] == pytest.approx(last, abs=5e-5)
    assert weights[-1] / weights[0] == pytest.approx(ratio, abs=0.05)
    assert weights.sum() == pytest.approx(len(counts), abs=1e-9)


@pytest.mark.parametrize('beta', [0.0, 0.3, 0.9, 0.999, 0.9999, 1.0])
def test_effective_number_weights_against_a_geometric_sum(beta):
    counts = [7, 1, 300, 45]
    # (1 - beta ** n) / (1 - beta) = 1 + beta + ... + beta ** (n - 1), which also holds at beta = 1.
    inverse = [1 / math.fsum(beta**k for k in range(n)) for n in counts]
    expected = [len(counts) * value / math.fsum(inverse) for value in inverse]
    np.testing.assert_allclose(effective_number_weights(counts, beta), expected, rtol=1e-11)


def test_effective_number_weights_stay_exact_close_to_one_and_for_huge_counts():
    near = effective_number_weights([1000, 10, 1], 1 - 1e-13)
    np.testing.assert_allclose(near, effective_number_weights([1000, 10, 1], 1.0), rtol=1e-9)
    huge = effective_number_weights([10**9, 10**8], 0.9999)  # beta ** n underflows: both classes are saturated
    np.testing.assert_allclose(huge, [1.0, 1.0], rtol=1e-12)


@pytest.mark.parametrize('convert', [list, np.array, torch.tensor, lambda n: torch.tensor(n, dtype=torch.float32)])
def test_all_kinds_of_input_agree(convert):
    counts = convert([120, 50, 3])
    expected = effective_number_weights([120, 50, 3])
    assert torch.equal(effective_number_weights(counts), expected)
    assert {name: ids.tolist() for name, ids in shot_groups(counts).items()} == {'many': [0], 'medium': [1], 'few': [2]}
    assert torch.equal(ClassPrior(counts).class_counts, torch.tensor([120.0, 50.0, 3.0], dtype=torch.float64))


def test_effective_number_weights_refuse_what_has_no_answer():
    with pytest.raises(ValueError, match=r'classes \[1\] have no training image'):
        effective_number_weights([5, 0, 1])
    for beta in (-0.1, 1.1, math.nan):
        with pytest.raises(ValueError, match='beta must be in'):
            effective_number_weights([5, 1], beta)


@pytest.mark.parametrize('counts', [[], [[1, 2]], [0, 0], [1, -1], [1, math.nan], [1, math.inf]])
def test_bad_counts_are_refused(counts):
    with pytest.raises(ValueError, match='class_counts'):
        ClassPrior(counts)


def test_class_prior():
    prior = ClassPrior([6, 3, 0, 1])
    assert (prior.num_classes, prior.num_images, prior.imbalance_ratio) == (4, 10, 6)
    np.testing.assert_allclose(prior.prior, [0.6, 0.3, 0, 0.1], rtol=1e-15)
    np.testing.assert_allclose(prior.log_prior[[0, 1, 3]], [math.log(0.6), math.log(0.3), math.log(0.1)], rtol=1e-14)
    assert prior.log_prior[2] == -math.inf
    assert prior.shot_groups()['few'].tolist() == [0, 1, 2, 3]
    full = ClassPrior([6, 3, 1])
    assert torch.equal(full.effective_number_weights(0.9), effective_number_weights([6, 3, 1], 0.9))
    assert 'imbalance ratio 6' in repr(full)


def test_class_prior_does_not_share_memory_with_its_input():
    counts = np.array([4.0, 2.0])
    prior = ClassPrior(counts)
    counts[0] = 100
    assert prior.class_counts.tolist() == [4, 2]


@pytest.mark.parametrize(
    ('convention', 'sizes'),
    [
        ('standard', (35, 35, 30)),
        ('ncl', (35, 34, 31)),
        ('glmc', (35, 34, 31)),
        ('breadcrumb', (35, 34, 31)),
        ('mislas', (36, 35, 29)),
        ('prior-lt', (33, 33, 34)),
    ],
)
def test_shot_groups_of_cifar100_at_ratio_100(convention, sizes):
    counts = cifar100_counts(100)
    assert sum(counts) == 10847
    groups = shot_groups(counts, convention)
    assert tuple(len(groups[name]) for name in ('many', 'medium', 'few')) == sizes
    assert np.concatenate(list(groups.values())).tolist() == list(range(100))  # the counts fall, so the groups follow
    assert all(ids.dtype == np.int64 for ids in groups.values())


@pytest.mark.parametrize(
    ('counts', 'sizes'),
    [
        (cifar100_counts(10), (69, 31, 0)),
        (cifar100_counts(20), (53, 47, 0)),
        (cifar100_counts(50), (41, 41, 18)),
        (cifar100_counts(200), (30, 31, 39)),
        (cifar10_counts(10), (10, 0, 0)),
        (cifar10_counts(50), (9, 1, 0)),
        (cifar10_counts(100), (8, 2, 0)),
        (cifar10_counts(200), (7, 3, 0)),
    ],
)
def test_standard_shot_groups_of_long_tailed_cifar(counts, sizes):
    groups = shot_groups(counts)
    assert tuple(map(len, groups.values())) == sizes


@pytest.mark.parametrize(
    ('convention', 'of_each'),
    [
        ('standard', 'many medium medium medium few few'),
        ('ncl', 'many many medium few few few'),
        ('glmc', 'many medium medium few few few'),
        ('breadcrumb', 'many many medium few few few'),
    ],
)
def test_shot_groups_at_the_thresholds(convention, of_each):
    groups = shot_groups([101, 100, 99, 20, 19, 0], convention)
    found = {int(c): name for name, ids in groups.items() for c in ids}
    assert [found[c] for c in range(6)] == of_each.split()


def test_the_groups_of_lvis_at_their_thresholds():
    groups = shot_groups([101, 100, 11, 10, 1], 'lvis')
    assert {name: ids.tolist() for name, ids in groups.items()} == {'many': [0], 'medium': [1, 2], 'few': [3, 4]}


def test_thirds_go_by_count_and_not_by_index():
    groups = shot_groups([1, 50, 3, 50, 200, 2, 7], 'prior-lt')
    assert {name: ids.tolist() for name, ids in groups.items()} == {'many': [1, 4], 'medium': [3, 6], 'few': [0, 2, 5]}


def test_conventions_are_described_and_unknown_ones_refused():
    assert set(CONVENTIONS) == {'standard', 'ncl', 'glmc', 'breadcrumb', 'lvis', 'mislas', 'prior-lt'}
    assert all(isinstance(text, str) and text for text in CONVENTIONS.values())
    with pytest.raises(ValueError, match="'other'.*standard, ncl"):
        shot_groups([1, 2], 'other')
    with pytest.raises(ValueError, match='100 classes only, got 10'):
        shot_groups(cifar10_counts(100), 'mislas')
