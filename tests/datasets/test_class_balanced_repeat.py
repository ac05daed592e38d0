"""The sampler that repeats or thins images until the classes are balanced, against counting by hand."""

import math
from fractions import Fraction

import numpy as np
import pytest

from mmlt.registry import DATA_SAMPLERS

COUNTS = (60, 25, 0, 10, 5)


class Labelled:
    """A data set of labels alone, in a mixed order."""

    def __init__(self, counts) -> None:
        self.labels = np.random.default_rng(0).permutation(np.repeat(np.arange(len(counts)), counts))
        self.metainfo = dict(class_counts=list(counts))

    def __len__(self) -> int:
        return len(self.labels)


def build(counts=COUNTS, **options):
    return DATA_SAMPLERS.build(dict(type='ClassBalancedRepeatSampler', dataset=Labelled(counts), **options))


def ratio(count: int) -> Fraction:
    """Target over base probability: (1 / 4) / (n / 100)."""
    return Fraction(1, 4) / Fraction(count, 100)


def passes_of(sampler, epochs: int) -> np.ndarray:
    """How often each image comes in the first pass of each epoch, (epochs, 100); a pass ends before twice its length."""
    times = np.zeros((epochs, 100), dtype=np.int64)
    for epoch in range(epochs):
        order = sampler.epoch_indices(epoch).numpy()
        times[epoch] = np.bincount(order, minlength=100)
    return times


def test_the_ratio_of_each_class():
    assert build().repeats == pytest.approx([float(ratio(n)) if n else 0.0 for n in COUNTS], abs=1e-14)


def test_an_image_comes_floor_or_ceil_of_its_ratio_times_in_a_pass(monkeypatch):
    """Of draws that are known: an image comes once more exactly where its draw is below the fraction."""
    sampler = build(counts=(3, 2, 1), num_samples=6)  # ratios 2/3, 1, 2
    drawn = np.array([0.5, 0.7, 0.6, 0.9, 0.1, 0.0])

    class Known:
        def uniform(self, count):
            return drawn

        def permutation(self, count):
            return np.arange(count)

    expected = []
    for image, (label, number) in enumerate(zip(sampler.labels, drawn, strict=True)):
        exact = Fraction(6, 3) / Fraction([3, 2, 1][label])
        whole = exact.numerator // exact.denominator
        expected += [image] * (whole + (number < float(exact - whole)))
    repeated = (expected * 2)[:6]
    assert sampler.draw(Known(), 0).tolist() == repeated


def test_what_comes_in_the_long_run():
    epochs = 3000
    sampler = build()
    assert len(sampler) == 100  # N images an epoch
    times = passes_of(sampler, epochs)
    assert (times.sum(axis=1) == 100).all()
    labels = sampler.labels
    for c, n in enumerate(COUNTS):
        if not n:
            continue
        of_class = times[:, labels == c].sum() / epochs
        assert of_class == pytest.approx(25, abs=0.4)  # every class a quarter
        each = times[:, labels == c].mean(axis=0)
        assert np.abs(each - float(ratio(n))).max() < 4.5 * math.sqrt(float(ratio(n)) * 0.6 / epochs) + 0.03
    assert times[:, labels == 4].min() >= 2 and times[:, labels == 4].max() <= 12


def test_rare_images_all_come_where_drawing_with_replacement_leaves_some_out():
    counts = (90, 6, 4)
    repeated = build(counts, num_samples=100)
    drawn = DATA_SAMPLERS.build(dict(type='ClassBalancedSampler', dataset=Labelled(counts)))
    rare = np.flatnonzero(repeated.labels == 2)

    def least(sampler):
        return min(np.bincount(sampler.epoch_indices(e).numpy(), minlength=100)[rare].min() for e in range(40))

    assert least(repeated) > least(drawn)


def test_equal_counts_give_each_image_once():
    order = build((7, 7, 7)).epoch_indices(3).tolist()
    assert sorted(order) == list(range(21)) and order != list(range(21))


def test_a_longer_epoch_goes_on_with_another_pass():
    short, long = build((7, 7, 7)).epoch_indices(0).tolist(), build((7, 7, 7), num_samples=42).epoch_indices(0).tolist()
    assert long[:21] == short and sorted(long[21:]) == list(range(21)) and long[21:] != short
