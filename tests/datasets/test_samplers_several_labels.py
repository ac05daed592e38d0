"""Samplers on images with several labels."""

import itertools

import numpy as np
import pytest

from mmlt.errors import UserError
from mmlt.registry import DATA_SAMPLERS


class Several:
    """Images with one to three of five classes, one class rare."""

    def __init__(self, size: int = 200) -> None:
        random = np.random.default_rng(0)
        self.labels = random.random((size, 5)) < [0.6, 0.4, 0.2, 0.05, 0.01]
        self.labels[~self.labels.any(axis=1), 0] = True
        self.labels[7, 4] = True
        self.metainfo = dict(class_counts=self.labels.sum(axis=0).tolist())

    def __len__(self) -> int:
        return len(self.labels)


def build(name, dataset, **options):
    return DATA_SAMPLERS.build(dict(type=name, dataset=dataset, **options))


def test_an_image_comes_as_often_as_its_rarest_class_asks_for():
    dataset = Several()
    sampler = build('RepeatFactorSampler', dataset, threshold=0.3)
    expected = []
    for image in dataset.labels:
        shares = [count / 200 for count, held in zip(dataset.metainfo['class_counts'], image, strict=True) if held]
        expected.append(max(1.0, *((0.3 / share) ** 0.5 for share in shares)))
    expected = np.array(expected)
    assert expected.max() > 3 and sampler.num_samples == int(np.ceil(expected.sum() - 1e-6))
    drawn = np.stack([np.bincount(sampler.epoch_indices(epoch).numpy(), minlength=200) for epoch in range(400)])
    assert (drawn >= np.floor(expected)).all() and (drawn <= np.ceil(expected) + 1).all()
    assert np.abs(drawn.mean(axis=0) - expected).max() < 0.12  # a standard error is at most 0.025


def test_every_image_once():
    dataset = Several()
    for name in ('ShuffleSampler', 'SequentialSampler'):
        assert sorted(build(name, dataset).epoch_indices(0).tolist()) == list(range(200))


@pytest.mark.parametrize(
    'name', ['ClassBalancedRepeatSampler', 'ClassBalancedSampler', 'PowerSampler', 'ReversedSampler'],
)  # fmt: skip
def test_samplers_of_one_label_say_so(name):
    with pytest.raises(UserError, match=f'{name} draws by the one label of an image, and Several has several'):
        build(name, Several())


def test_class_aware_sampling_visits_each_class_once_a_cycle_and_its_images_in_turn():
    dataset = Several()
    sampler = build('ClassAwareSampler', dataset, samples_per_class=2, num_samples=300)
    order = sampler.epoch_indices(3).tolist()
    assert order != sampler.epoch_indices(4).tolist()
    for cycle in range(0, 300, 10):
        visits = [order[start : start + 2] for start in range(cycle, cycle + 10, 2)]
        # which class a visit was to is not told: one assignment of classes to visits must fit
        fits = [
            classes
            for classes in itertools.permutations(range(5))
            if all(dataset.labels[image, c] for c, visit in zip(classes, visits, strict=True) for image in visit)
        ]
        assert fits
    rare = np.flatnonzero(dataset.labels[:, 4])
    assert np.isin(order, rare).sum() >= 60 and len(rare) < 10  # twice in each of 30 cycles
    assert set(rare) <= set(order)


def test_counts_that_do_not_fit_are_refused():
    dataset = Several()
    dataset.metainfo['class_counts'][0] += 1
    with pytest.raises(UserError, match='do not agree'):
        build('ShuffleSampler', dataset)


def test_class_aware_sampling_says_what_it_never_draws():
    dataset = Several()
    assert build('ClassAwareSampler', dataset).notice() is None
    dataset.labels = np.concatenate([dataset.labels, np.zeros((50, 5), dtype=bool)])
    said = build('ClassAwareSampler', dataset).notice()
    assert '50 of 250 images show no class and are not trained on' in said
    drawn = build('ClassAwareSampler', dataset, num_samples=5000).epoch_indices(0).numpy()
    assert drawn.max() < 200 and build('RepeatFactorSampler', dataset, threshold=0.1).notice() is None
