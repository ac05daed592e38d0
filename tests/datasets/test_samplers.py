"""Samplers: what an epoch contains, how often, in which order, and which share of it a rank gets."""

import math
import tracemalloc
from collections import Counter

import numpy as np
import pytest
import torch

from mmlt.datasets import samplers as S
from mmlt.datasets.samplers import base
from mmlt.errors import UserError
from mmlt.registry import DATA_SAMPLERS


class Labelled:
    """A data set of labels alone, in a mixed order."""

    def __init__(self, counts) -> None:
        labels = np.repeat(np.arange(len(counts)), counts)
        self.labels = np.random.default_rng(0).permutation(labels)
        self.metainfo = dict(class_counts=list(counts))

    def __len__(self) -> int:
        return len(self.labels)


COUNTS = (60, 25, 0, 10, 5)
EVERY = {
    'ShuffleSampler': {},
    'SequentialSampler': {},
    'ClassBalancedSampler': {},
    'ClassAwareSampler': {},
    'ClassBalancedRepeatSampler': {},
    'PowerSampler': {},
    'ProgressiveSampler': {'num_epochs': 10},
    'ReversedSampler': {},
    'RepeatFactorSampler': {'threshold': 0.2},
}
each_sampler = pytest.mark.parametrize('name', EVERY)
each_random_sampler = pytest.mark.parametrize('name', [name for name in EVERY if name != 'SequentialSampler'])


def build(name, counts=COUNTS, **options):
    return DATA_SAMPLERS.build(dict(type=name, dataset=Labelled(counts), **{**EVERY[name], **options}))


def as_rank(monkeypatch, rank, world_size):
    monkeypatch.setattr(base, 'get_dist_info', lambda: (rank, world_size))


# ------------------------------------------------------------------ what holds for all
@each_sampler
def test_order_is_a_tensor_of_indices_that_a_fresh_sampler_repeats(name):
    sampler = build(name, seed=5)
    order = sampler.epoch_indices(3)
    assert order.dtype == torch.int64 and order.device.type == 'cpu' and order.shape == (sampler.num_samples,)
    assert order.min() >= 0 and order.max() < 100
    sampler.epoch_indices(7)  # what ran before has no say
    assert torch.equal(sampler.epoch_indices(3), order)
    assert torch.equal(build(name, seed=5).epoch_indices(3), order)


@each_random_sampler
def test_seeds_and_epochs_give_other_orders_and_never_trade_places(name):
    orders = {
        tuple(build(name, seed=seed).epoch_indices(epoch).tolist())
        for seed in (0, 1, 2, 2**32, 2**32 + 1)
        for epoch in (0, 1, 2)
    }
    assert len(orders) == 15  # seed + epoch alone would give far fewer


@each_random_sampler
def test_global_random_state_is_neither_used_nor_touched(name):
    torch.manual_seed(0)
    np.random.seed(0)
    before = torch.get_rng_state(), np.random.get_state()[1].copy()
    build(name).epoch_indices(0)
    assert torch.equal(before[0], torch.get_rng_state()) and (before[1] == np.random.get_state()[1]).all()


@each_sampler
@pytest.mark.parametrize('num_samples', [1, 7, 99, 100, 101, 257])
def test_length_can_be_chosen(name, num_samples):
    sampler = build(name, num_samples=num_samples)
    assert len(sampler) == num_samples and len(sampler.epoch_indices(0)) == num_samples


@each_sampler
@pytest.mark.parametrize('world_size', [1, 2, 3, 8])
def test_shares_of_the_ranks_make_up_the_global_order(name, world_size, monkeypatch):
    order = build(name, num_samples=101).epoch_indices(4).tolist()
    shares = []
    for rank in range(world_size):
        as_rank(monkeypatch, rank, world_size)
        sampler = build(name, num_samples=101)
        sampler.set_epoch(4)
        shares.append(list(sampler))
        assert len(shares[-1]) == len(sampler) == math.ceil(101 / world_size)
    woven = [index for step in zip(*shares, strict=True) for index in step]
    assert woven[:101] == order
    assert woven[101:] == order[: len(woven) - 101]  # continued from the start


def test_more_ranks_than_draws(monkeypatch):
    as_rank(monkeypatch, 6, 8)
    sampler = build('SequentialSampler', num_samples=3)
    assert list(sampler) == [0] and len(sampler) == 1


@each_sampler
def test_works_in_a_data_loader(name):
    sampler = build(name, seed=1)
    loader = torch.utils.data.DataLoader(torch.arange(100), batch_size=16, sampler=sampler)
    assert torch.equal(torch.cat(list(loader)), sampler.epoch_indices(0))
    sampler.set_epoch(1)
    assert torch.equal(torch.cat(list(loader)), sampler.epoch_indices(1))


@each_sampler
def test_a_single_class_of_a_single_image(name):
    assert build(name, counts=(1,), num_samples=5).epoch_indices(0).tolist() == [0] * 5


def test_a_seed_of_none_is_zero():
    assert torch.equal(build('ShuffleSampler', seed=None).epoch_indices(1), build('ShuffleSampler').epoch_indices(1))


def test_wrong_input_is_named():
    for dataset in (object(), torch.nn.Identity()):
        with pytest.raises(UserError, match='no `labels`'):
            S.ShuffleSampler(dataset)
    dataset = Labelled(COUNTS)
    dataset.metainfo['class_counts'] = [60, 25, 10, 5]
    with pytest.raises(UserError, match='do not agree'):
        S.ShuffleSampler(dataset)
    dataset.metainfo['class_counts'] = [60, 25, 10, 0, 5]
    with pytest.raises(UserError, match='do not agree'):
        S.ShuffleSampler(dataset)
    with pytest.raises(UserError, match='has no image'):
        S.ShuffleSampler(Labelled([0, 0]))
    for options in (dict(num_samples=0), dict(seed=-1)):
        with pytest.raises(UserError, match='of at least'):
            S.ShuffleSampler(Labelled(COUNTS), **options)
    with pytest.raises(UserError, match='length must be one of'):
        S.ClassAwareSampler(Labelled(COUNTS), length='longest')
    with pytest.raises(UserError, match='samples_per_class'):
        S.ClassAwareSampler(Labelled(COUNTS), samples_per_class=0)
    with pytest.raises(UserError, match='num_epochs'):
        S.ProgressiveSampler(Labelled(COUNTS), num_epochs=0)
    for threshold in (0, -0.1, 1.5):
        with pytest.raises(UserError, match='threshold must be'):
            S.RepeatFactorSampler(Labelled(COUNTS), threshold=threshold)


# ------------------------------------------------------------------ random numbers
def test_draws_are_pinned():
    # Literals: an order drawn today must be drawn by every later version of mmlt and of NumPy.
    assert S.Draws(0, 0).words(2).tolist() == [17394127715520444142, 5835390491061343638]
    assert build('ShuffleSampler', counts=(5, 3)).epoch_indices(0).tolist() == [6, 3, 1, 4, 5, 2, 7, 0]


def test_uniform_draws_and_permutations():
    uniform = S.Draws(1, 2).uniform(20000)
    assert uniform.min() >= 0 and uniform.max() < 1
    assert np.sort(uniform)[::2000] == pytest.approx(np.linspace(0, 0.9, 10), abs=4 * 0.5 / math.sqrt(20000))
    firsts = Counter(tuple(S.Draws(seed, 0).permutation(3)) for seed in range(3000))
    assert len(firsts) == 6 and all(abs(n - 500) < 4.5 * math.sqrt(500 * 5 / 6) for n in firsts.values())


@pytest.mark.parametrize('at_once', [1, 3, 100])
@pytest.mark.parametrize('sizes', [[4], [1, 1, 1, 1], [2, 1, 4, 1]])
def test_groups_are_shuffled_within_themselves_in_pieces_of_any_size(sizes, at_once, monkeypatch):
    sizes = np.array(sizes)
    seen = set()
    for seed in range(200):
        monkeypatch.setattr(base, 'AT_ONCE', at_once)
        found = list(S.Draws(seed, 0).shuffle_groups(sizes))
        assert np.array_equal(np.concatenate([group for _, group, _ in found]), np.repeat(np.arange(len(sizes)), sizes))
        assert [where.start for where, _, _ in found] == [0, *(where.stop for where, _, _ in found[:-1])]
        within = np.concatenate([numbers for _, _, numbers in found])
        ends = np.cumsum(sizes)
        for start, end in zip(ends - sizes, ends, strict=True):
            assert sorted(within[start:end]) == list(range(end - start))
        seen.add(tuple(within))
        monkeypatch.setattr(base, 'AT_ONCE', 100)
        (whole,) = S.Draws(seed, 0).shuffle_groups(sizes)
        assert np.array_equal(whole[2], within)
    assert len(seen) == math.prod(map(math.factorial, sizes.tolist()))  # 24, 1 and 48: every one comes up


class Large:
    """437,513 images of 8,142 classes, 1,000 to 2 in each, as iNaturalist 2018 has."""

    def __init__(self) -> None:
        low, high = 0.1, 2.0
        while high - low > 1e-12:  # the exponent of a Pareto curve with that sum
            middle = (low + high) / 2
            counts = np.maximum(2, 1000 * np.arange(1, 8143) ** -middle).astype(np.int64)
            low, high = (middle, high) if counts.sum() > 437_513 else (low, middle)
        counts[:abs(437_513 - counts.sum())] += np.sign(437_513 - counts.sum())
        self.labels = np.random.default_rng(0).permutation(np.repeat(np.arange(8142), counts))
        self.metainfo = dict(class_counts=counts.tolist())

    def __len__(self) -> int:
        return len(self.labels)


LARGE = [
    ('ShuffleSampler', {}), ('ClassBalancedSampler', {}), ('ClassAwareSampler', {}), ('PowerSampler', {}),
    ('ProgressiveSampler', dict(num_epochs=90)), ('ReversedSampler', {}), ('RepeatFactorSampler', dict(threshold=0.001)),
    ('ClassBalancedRepeatSampler', {}), ('ClassAwareSampler', dict(length='max_count')),
]  # fmt: skip


def test_an_epoch_of_a_large_set_takes_little_memory():
    data = Large()
    assert len(data) == 437_513 and 990 < max(data.metainfo['class_counts']) < 1010
    for name, options in LARGE:
        sampler = getattr(S, name)(data, **options)
        tracemalloc.start()
        order = sampler.epoch_indices(0)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert len(order) == sampler.num_samples >= 437_513
        assert peak < 100e6, name


# ------------------------------------------------------------------ plain orders
def test_shuffle_takes_each_image_once_an_epoch():
    order = build('ShuffleSampler').epoch_indices(0).tolist()
    assert sorted(order) == list(range(100)) and order != list(range(100))
    longer = build('ShuffleSampler', num_samples=250).epoch_indices(0).tolist()
    assert longer[:100] == order and sorted(longer[100:200]) == list(range(100)) and longer[100:200] != order
    assert len(set(longer[200:])) == 50


def test_sequential_is_the_order_of_the_data_set():
    assert build('SequentialSampler').epoch_indices(9).tolist() == list(range(100))
    assert build('SequentialSampler', counts=(2, 1), num_samples=5).epoch_indices(0).tolist() == [0, 1, 2, 0, 1]


# ------------------------------------------------------------------ class probabilities
def expected_probabilities(weight):
    weights = [weight(n) if n else 0.0 for n in COUNTS]
    return [w / math.fsum(weights) for w in weights]


PROBABILITIES = [
    ('ClassBalancedSampler', {}, 0, expected_probabilities(lambda n: 1)),
    ('PowerSampler', {}, 0, expected_probabilities(math.sqrt)),
    ('PowerSampler', {'power': 1.0}, 0, expected_probabilities(lambda n: n)),
    ('PowerSampler', {'power': 0.0}, 0, expected_probabilities(lambda n: 1)),
    ('PowerSampler', {'power': -1.0}, 0, expected_probabilities(lambda n: 1 / n)),
    ('ReversedSampler', {}, 0, expected_probabilities(lambda n: 1 / n)),
    ('ProgressiveSampler', {'num_epochs': 5}, 0, expected_probabilities(lambda n: n)),
    ('ProgressiveSampler', {'num_epochs': 5}, 1, expected_probabilities(lambda n: 0.75 * n / 100 + 0.25 / 4)),
    ('ProgressiveSampler', {'num_epochs': 5}, 4, expected_probabilities(lambda n: 1)),
    ('ProgressiveSampler', {'num_epochs': 5}, 6, expected_probabilities(lambda n: 1)),
    ('ProgressiveSampler', {'num_epochs': 1}, 0, expected_probabilities(lambda n: n)),
]


@pytest.mark.parametrize(('name', 'options', 'epoch', 'expected'), PROBABILITIES)
def test_class_probabilities_and_what_is_drawn(name, options, epoch, expected):
    draws = 40000
    sampler = build(name, num_samples=draws, **options)
    assert sampler.class_probabilities(epoch) == pytest.approx(expected, abs=1e-14)
    order = sampler.epoch_indices(epoch).numpy()
    labels = sampler.labels
    of_class = np.bincount(labels[order], minlength=5)
    of_image = np.bincount(order, minlength=100)
    for c, p in enumerate(expected):
        assert abs(of_class[c] - draws * p) <= 4 * math.sqrt(draws * p * (1 - p))
        share = p / max(COUNTS[c], 1)
        worst = np.abs(of_image[labels == c] - draws * share).max(initial=0)
        assert worst <= 4.5 * math.sqrt(draws * share)  # every image of a class alike
    if all(expected[c] for c in (0, 1)):  # neighbouring draws are independent
        first = labels[order[:-1]] == 0
        after = np.mean(labels[order[1:]][first] == 0)
        assert abs(after - expected[0]) < 4 * math.sqrt(expected[0] * (1 - expected[0]) / first.sum())


def test_pick_is_exact_by_enumeration():
    dataset = Labelled((4, 0, 3))
    table = base.ClassTable(dataset.labels, np.array([4, 0, 3]))
    shares = (np.arange(12) + 0.5) / 12
    for c, times in ((0, 3), (2, 4)):
        picked = Counter(table.pick(np.full(12, c), shares).tolist())
        assert picked == {int(i): times for i in np.flatnonzero(dataset.labels == c)}
    edge = table.pick(np.array([2, 2]), np.array([0.0, np.nextafter(1.0, 0.0)]))
    assert (dataset.labels[edge] == 2).all()


# ------------------------------------------------------------------ class-aware
def test_class_aware_goes_through_classes_and_images_in_turn():
    sampler = build('ClassAwareSampler', num_samples=4 * 4 * 30, samples_per_class=4)
    for epoch in range(3):
        order = sampler.epoch_indices(epoch).numpy()
        visits = sampler.labels[order].reshape(-1, 4)
        assert (visits == visits[:, :1]).all()  # four of a class in a row
        cycles = visits[:, 0].reshape(-1, 4)
        assert (np.sort(cycles, axis=1) == [0, 1, 3, 4]).all()  # each class once a cycle, the empty one never
        assert len({tuple(cycle) for cycle in cycles}) > 10  # in ever new orders
        for c in (0, 1, 3, 4):
            taken = order[sampler.labels[order] == c]  # 120 draws
            rounds = [taken[k : k + COUNTS[c]] for k in range(0, len(taken), COUNTS[c])]
            assert all(len(set(images)) == len(images) for images in rounds)  # no image twice in a round
            if c >= 3:
                assert len({tuple(images) for images in rounds}) > 1  # shuffled again each round


@pytest.mark.parametrize('samples_per_class', [1, 3, 7])
@pytest.mark.parametrize('num_samples', [1, 10, 97])
def test_class_aware_cut_in_the_middle_is_the_start_of_a_longer_cycle(samples_per_class, num_samples):
    sampler = build('ClassAwareSampler', num_samples=num_samples, samples_per_class=samples_per_class)
    labels = sampler.labels[sampler.epoch_indices(2).numpy()]
    assert len(labels) == num_samples
    visits = [labels[k : k + samples_per_class] for k in range(0, num_samples, samples_per_class)]
    assert all(len(set(visit)) == 1 for visit in visits)
    for k in range(0, len(visits), 4):
        cycle = [visit[0] for visit in visits[k : k + 4]]
        assert len(set(cycle)) == len(cycle)


def test_class_aware_lengths():
    assert len(build('ClassAwareSampler')) == 100
    assert len(build('ClassAwareSampler', length='max_count')) == 60 * 4  # classes with an image
    assert len(build('ClassAwareSampler', length='max_count', num_samples=12)) == 12
    order = build('ClassAwareSampler', length='max_count').epoch_indices(0).numpy()
    assert set(order) == set(range(100))  # enough for each class to show all of its images


def test_class_aware_first_class_and_first_image_are_uniform():
    sampler = build('ClassAwareSampler', counts=(4, 2, 3), num_samples=1, samples_per_class=1)
    draws = 6000
    firsts = np.bincount([int(sampler.epoch_indices(epoch)[0]) for epoch in range(draws)], minlength=9)
    for c, n in enumerate((4, 2, 3)):
        expected = draws / 3 / n
        assert np.abs(firsts[sampler.labels == c] - expected).max() < 4 * math.sqrt(expected)


# ------------------------------------------------------------------ repeat factors
def test_repeat_factors_and_their_expectation():
    sampler = build('RepeatFactorSampler', threshold=0.2)
    factors = [1.0, 1.0, math.sqrt(0.2 / 0.1), math.sqrt(0.2 / 0.05)]
    assert sampler.repeat_factors[[0, 1, 3, 4]] == pytest.approx(factors, abs=1e-14)
    total = 60 + 25 + 10 * math.sqrt(2) + 5 * 2
    assert len(sampler) == math.ceil(total) == 110
    epochs = 4000
    times = np.zeros(100)
    for epoch in range(epochs):
        order = sampler.epoch_indices(epoch).numpy()
        counts = np.bincount(order, minlength=100)
        exact = {0: (1,), 1: (1,), 3: (1, 2), 4: (2,)}  # floor or ceil of the factor; the filler adds at most one
        extra = sum(max(counts[i] - exact[int(c)][-1], 0) for i, c in enumerate(sampler.labels))
        assert extra <= 1 and all(counts[i] >= exact[int(c)][0] for i, c in enumerate(sampler.labels))
        times += counts
    mean = times / epochs
    filler = (math.ceil(total) - total) / 100  # the images' mean share of the one that fills up
    for c, factor in zip((0, 1, 3, 4), factors, strict=True):
        # A repeated image comes first in the order more often, by its number of places.
        assert mean[sampler.labels == c].mean() == pytest.approx(factor + filler * factor, abs=0.01)
    assert np.abs(mean[sampler.labels == 3] - math.sqrt(2)).max() < 4.5 * math.sqrt(0.25 / epochs) + 0.02


def test_repeat_factor_without_a_rare_class_is_a_shuffle():
    sampler = build('RepeatFactorSampler', counts=(10, 9, 11), threshold=0.1)
    assert len(sampler) == 30 and sorted(sampler.epoch_indices(0).tolist()) == list(range(30))


def test_repeat_factor_spreads_the_copies_of_an_image():
    sampler = build('RepeatFactorSampler', counts=(400, 1), threshold=1.0)  # the rare image: 20 times, 1.0012 others
    rare = int(np.flatnonzero(sampler.labels == 1)[0])
    places = np.concatenate([np.flatnonzero(sampler.epoch_indices(e).numpy() == rare) for e in range(50)])
    length = len(sampler)
    assert np.mean(places) == pytest.approx(length / 2, abs=4 * length / math.sqrt(12 * len(places)))
