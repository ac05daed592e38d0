"""The rules that pick a subset, against published counts and a naive generator."""

import math

import numpy as np
import pytest

from mmlt.datasets import SubsetRule
from mmlt.datasets.fingerprint import indices_sha256
from mmlt.datasets.official import official_labels
from mmlt.errors import UserError

SETS = dict(cifar10=10, cifar100=100)
TOTALS = {
    'cifar10': {10: 20431, 20: 17023, 50: 13996, 100: 12406, 200: 11203},
    'cifar100': {10: 19573, 20: 15907, 50: 12608, 100: 10847, 200: 9502},
}
CIFAR10_COUNTS = {
    10: [5000, 3871, 2997, 2320, 1796, 1391, 1077, 834, 645, 500],
    50: [5000, 3237, 2096, 1357, 878, 568, 368, 238, 154, 100],
    100: [5000, 2997, 1796, 1077, 645, 387, 232, 139, 83, 50],
    200: [5000, 2775, 1540, 854, 474, 263, 146, 81, 45, 25],
}
CIFAR100_SHOTS = {10: (69, 31, 0), 20: (53, 47, 0), 50: (41, 41, 18), 100: (35, 35, 30), 200: (30, 31, 39)}
INDEX_LISTS = {  # profile exp, protocol cao, seed 0
    ('cifar10', 10): 'a17d69f192b1cf6df09676b6c424e2ad5e7d7863ccc4b9ba70ef128885973218',
    ('cifar10', 20): 'fed8b23a7a778a4094b8c5301522600105c4441811d1ef239ae7fc72c42f7fe5',
    ('cifar10', 50): 'd7edcfaf02772bee1e2310a33be8b6c46232f043641158348b9de3ec731e26ac',
    ('cifar10', 100): '4bf45bff8878d2786e47dccd702f96ff33b2b11d8c7da3b5015f10937290f866',
    ('cifar10', 200): 'a88004a1d13610934f4f0b642dab5e5df26f0d0ef20408bd092f25ab81103334',
    ('cifar100', 10): 'b4fbf1bf0a7f33381467493f50b953ce21b03a2b6d45b0d5e8da5d95d9ffd736',
    ('cifar100', 20): '1410f105fffda31596c5af26b044a4545124854811b80ec57538a067be3420e4',
    ('cifar100', 50): '561fa940cc7d3551d441643e310c7e439bf84f86b7863a3f7364963522d2984a',
    ('cifar100', 100): 'e0d58a4d2700c46062da852554e5d185bbee74d3c612b052ea2a839bdadf939e',
    ('cifar100', 200): '2f00ccd33da379d5e64ce9442512a16e9e1eb3f1bb3a90316aac08c69a441157',
}


def naive_subset(labels, num_classes, seed, counts, members=None):
    """The published procedure in its own words: NumPy's global generator, one class after the other."""
    state = np.random.get_state()
    try:
        np.random.seed(seed)
        chosen = []
        for c in range(num_classes):
            places = np.array([i for i in (members if members is not None else range(len(labels))) if labels[i] == c])
            np.random.shuffle(places)
            chosen.extend(places[: counts[c]].tolist())
        return chosen
    finally:
        np.random.set_state(state)


def counts_of(name, rule):
    labels = official_labels(name)
    return np.bincount(labels[rule.draw(labels, SETS[name])], minlength=SETS[name]).tolist()


@pytest.mark.parametrize('name', SETS)
@pytest.mark.parametrize('ratio', [10, 20, 50, 100, 200])
def test_counts_are_the_published_ones(name, ratio):
    counts = counts_of(name, SubsetRule(imbalance_ratio=ratio))
    assert sum(counts) == TOTALS[name][ratio]
    if name == 'cifar10' and ratio in CIFAR10_COUNTS:
        assert counts == CIFAR10_COUNTS[ratio]
    if name == 'cifar100':
        many, few = sum(n > 100 for n in counts), sum(n < 20 for n in counts)
        assert (many, 100 - many - few, few) == CIFAR100_SHOTS[ratio]


def test_ratio_100_of_cifar100_begins_and_ends_as_published():
    counts = counts_of('cifar100', SubsetRule())
    assert counts[:5] == [500, 477, 455, 434, 415]
    assert counts[-5:] == [6, 5, 5, 5, 5]


def test_step_has_full_classes_then_equal_small_ones():
    assert counts_of('cifar10', SubsetRule('step', 100)) == [5000] * 5 + [50] * 5
    assert SubsetRule('step', 10).counts(np.full(5, 100)) == [100] * 3 + [10] * 2  # c < C / 2


def test_pareto_follows_its_power_law():
    counts = counts_of('cifar100', SubsetRule('pareto', 100))
    # C = ratio = 100: the exponent is 1.
    assert counts == [500 // (c + 1) for c in range(100)]
    counts = SubsetRule('pareto', 1000).counts(np.full(10, 50))
    assert counts == [max(1, math.floor(50 / (c + 1) ** 3)) for c in range(10)]
    assert counts[-1] == 1


def test_natural_keeps_everything():
    labels = np.array([2, 0, 1, 0, 2, 0])
    assert sorted(SubsetRule('natural').draw(labels, 3)) == list(range(6))
    assert SubsetRule('natural', protocol='first').draw(labels, 3).tolist() == [1, 3, 5, 2, 0, 4]


@pytest.mark.parametrize(('name', 'ratio'), INDEX_LISTS)
def test_index_lists_are_pinned(name, ratio):
    indices = SubsetRule(imbalance_ratio=ratio).draw(official_labels(name), SETS[name])
    assert indices.dtype == np.int64
    assert indices_sha256(indices) == INDEX_LISTS[name, ratio]


@pytest.mark.parametrize('seed', [0, 7])
@pytest.mark.parametrize(('profile', 'ratio'), [('exp', 100), ('step', 20), ('exp', 1)])
def test_same_images_as_the_naive_procedure(profile, ratio, seed):
    labels = official_labels('cifar10')
    if profile == 'exp':
        counts = [int(5000 * (1 / ratio) ** (c / 9.0)) for c in range(10)]
    else:
        counts = [5000] * 5 + [int(5000 / ratio)] * 5
    expected = naive_subset(labels, 10, seed, counts)
    assert SubsetRule(profile, ratio, seed).draw(labels, 10).tolist() == expected


def test_drawing_leaves_the_global_generator_alone():
    np.random.seed(3)
    expected = np.random.rand()
    np.random.seed(3)
    SubsetRule().draw(np.repeat(np.arange(10), 200), 10)
    assert np.random.rand() == expected


def test_subsets_of_a_seed_are_nested():
    labels = official_labels('cifar100')
    drawn = [set(SubsetRule(imbalance_ratio=ratio).draw(labels, 100).tolist()) for ratio in (200, 100, 50, 20, 10)]
    assert all(smaller < larger for smaller, larger in zip(drawn, drawn[1:], strict=False))


def test_first_is_in_file_order():
    labels = official_labels('cifar100')
    indices = SubsetRule(protocol='first').draw(labels, 100)
    counts = counts_of('cifar100', SubsetRule())
    assert indices.tolist() == [i for c in range(100) for i in np.flatnonzero(labels == c)[: counts[c]]]


@pytest.mark.parametrize(('name', 'n_max', 'aside'), [('cifar10', 4900, 100), ('cifar100', 480, 20)])
def test_holdout_is_balanced_disjoint_and_the_first_of_each_shuffle(name, n_max, aside):
    labels, num_classes = official_labels(name), SETS[name]
    held_out = SubsetRule(protocol='cao-holdout', split='holdout').draw(labels, num_classes)
    assert np.bincount(labels[held_out]).tolist() == [aside] * num_classes
    full = SubsetRule('natural').draw(labels, num_classes).reshape(num_classes, -1)
    assert np.array_equal(held_out, full[:, :aside].ravel())
    train = SubsetRule(protocol='cao-holdout').draw(labels, num_classes)
    assert not set(held_out.tolist()) & set(train.tolist())
    counts = [int(n_max * 0.01 ** (c / (num_classes - 1))) for c in range(num_classes)]
    assert np.bincount(labels[train]).tolist() == counts
    other = SubsetRule(protocol='cao-holdout', seed=5)
    assert set(other.draw(labels, num_classes).tolist()).isdisjoint(held_out.tolist())


def test_holdout_training_images_are_caos_rule_on_the_rest():
    labels = np.random.RandomState(1).permutation(np.repeat(np.arange(4), 50))
    aside = naive_subset(labels, 4, 0, [2] * 4)
    rest = [i for i in range(200) if i not in set(aside)]
    expected = naive_subset(labels, 4, 3, [48, 22, 10, 4], rest)  # 48 * 0.1 ** (c / 3), truncated
    assert SubsetRule('exp', 10, seed=3, protocol='cao-holdout').draw(labels, 4).tolist() == expected
    assert SubsetRule('exp', 10, seed=3, protocol='cao-holdout', split='holdout').draw(labels, 4).tolist() == aside


def test_holdout_of_a_natural_set_is_balanced():
    labels = np.repeat(np.arange(3), [100, 50, 2])
    held_out = SubsetRule('natural', protocol='cao-holdout', split='holdout').draw(labels, 3)
    train = SubsetRule('natural', protocol='cao-holdout').draw(labels, 3)
    assert np.bincount(labels[held_out]).tolist() == [1, 1, 1]
    assert sorted([*held_out, *train]) == list(range(152))
    with pytest.raises(UserError, match='only 1'):
        SubsetRule('natural', protocol='cao-holdout').draw(labels[:-1], 3)


@pytest.mark.parametrize('profile', ['exp', 'step', 'pareto'])
def test_an_unbalanced_set_is_not_thinned_twice(profile):
    with pytest.raises(UserError, match='thin it twice'):
        SubsetRule(profile, 10).draw(np.repeat(np.arange(3), [9, 8, 9]), 3)


@pytest.mark.parametrize(
    ('wrong', 'message'),
    [
        (dict(profile='linear'), 'exp, step, pareto, natural'),
        (dict(protocol='cui'), 'cao, cao-holdout, first'),
        (dict(split='test'), 'train, holdout'),
        (dict(imbalance_ratio=0.5), 'at least 1'),
        (dict(imbalance_ratio='100'), 'at least 1'),
        (dict(imbalance_ratio=float('nan')), 'at least 1'),
        (dict(seed=-1), 'whole number'),
        (dict(split='holdout'), "protocol='cao-holdout'"),
    ],
)
def test_wrong_rules_are_refused(wrong, message):
    with pytest.raises(UserError, match=message):
        SubsetRule(**wrong)


def test_a_class_left_empty_is_refused():
    with pytest.raises(UserError, match='class 2 .* no training image'):
        SubsetRule('exp', 100).draw(np.repeat(np.arange(3), 20), 3)
    with pytest.raises(UserError, match='class 1 .* no training image'):
        SubsetRule('natural').draw(np.array([0, 2, 2]), 3)
    with pytest.raises(UserError, match='at least 2'):
        SubsetRule().draw(np.zeros(5, dtype=np.int64), 1)
