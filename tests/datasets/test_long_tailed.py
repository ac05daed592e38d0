"""LongTailedDataset: what it hands out, what it recognises, what it refuses."""

import hashlib
import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from mmlt.datasets import Digits, LongTailedDataset, SubsetRule
from mmlt.datasets.official import official_labels
from mmlt.errors import UserError
from mmlt.registry import DATASETS

LABELS = np.random.RandomState(0).permutation(np.repeat(np.arange(5), 40))


def as_bytes(images):
    return images.permute(0, 2, 3, 1).contiguous().numpy().tobytes()


def test_what_it_hands_out(tiny_pictures):
    whole = tiny_pictures(LABELS, 5)
    subset = LongTailedDataset(whole, imbalance_ratio=10)
    assert subset.class_counts == [40, 22, 12, 7, 4]
    assert subset.metainfo['class_counts'] == subset.class_counts
    assert all(type(count) is int for count in subset.class_counts)
    assert subset.labels.tolist() == [c for c in range(5) for _ in range(subset.class_counts[c])]
    assert subset.labels.tolist() == LABELS[subset.indices].tolist()
    images, labels = subset.tensors()
    assert images.shape == (85, 3, 1, 1)
    assert images.dtype == torch.uint8 and images.is_contiguous() and labels.dtype == torch.int64
    assert images[:, 0, 0, 0].tolist() == subset.indices.tolist()  # each image spells its place
    for place in (0, 50, 84):
        image, label = subset[place]
        assert torch.equal(image, images[place]) and label == labels[place] and type(label) is int
        assert torch.equal(subset[place, 12345][0], image)


def test_tensors_are_not_shared_with_anything(tiny_pictures):
    subset = LongTailedDataset(tiny_pictures(LABELS, 5), imbalance_ratio=10)
    before = subset.tensors()[0].clone()
    subset.tensors()[0].zero_()
    assert torch.equal(subset.tensors()[0], before)
    assert not any(isinstance(value, torch.Tensor) for value in vars(subset).values())


def test_fingerprint_is_made_of_plain_hashes(tiny_pictures):
    subset = LongTailedDataset(tiny_pictures(LABELS, 5), imbalance_ratio=10)
    assert subset.fingerprint() == dict(
        dataset='tiny', profile='exp', imbalance_ratio=10, protocol='cao', num_images=85,
        indices_sha256=hashlib.sha256(b''.join(int(i).to_bytes(8, 'little') for i in subset.indices)).hexdigest(),
        content_sha256=hashlib.sha256(as_bytes(subset.tensors()[0])).hexdigest(),
    )
    json.dumps(subset.fingerprint())
    other = LongTailedDataset(tiny_pictures(LABELS, 5), imbalance_ratio=10, seed=1).fingerprint()
    assert other['indices_sha256'] != subset.fingerprint()['indices_sha256']


def test_natural_states_its_own_ratio(tiny_pictures):
    subset = LongTailedDataset(tiny_pictures([0] * 6 + [1] * 3, 2), profile='natural')
    assert subset.fingerprint()['imbalance_ratio'] == 2


def test_built_from_a_config():
    subset = DATASETS.build(
        dict(type='LongTailedDataset', dataset=dict(type='Digits', split='train'), imbalance_ratio=20)
    )
    assert subset.class_counts[0] == 124 and subset.class_counts[-1] == 6
    assert subset.resident and subset.metainfo['classes'] == tuple('0123456789')
    assert subset.dataset.labels[subset.indices].tolist() == subset.labels.tolist()


def test_holdout_and_training_images_of_the_digits_do_not_meet():
    whole = Digits()
    train = LongTailedDataset(whole, imbalance_ratio=10, protocol='cao-holdout')
    held_out = LongTailedDataset(whole, imbalance_ratio=10, protocol='cao-holdout', split='holdout')
    assert held_out.class_counts == [4] * 10
    assert train.class_counts[0] == 120
    assert not set(train.indices) & set(held_out.indices)


@pytest.mark.parametrize(('name', 'num_classes'), [('cifar10', 10), ('cifar100', 100)])
@pytest.mark.parametrize(
    'rule', [dict(), dict(imbalance_ratio=10), dict(profile='step', seed=3), dict(protocol='cao-holdout'),
             dict(protocol='cao-holdout', split='holdout'), dict(profile='pareto', protocol='first')]
)
def test_a_subset_of_an_official_set_is_recognised(tiny_pictures, name, num_classes, rule):
    labels = official_labels(name)
    thinned = LongTailedDataset(tiny_pictures(labels, num_classes, name), **rule)
    index = np.sort(thinned.indices)
    alone = LongTailedDataset(tiny_pictures(labels[index], num_classes, name, index), **rule)
    assert alone.fingerprint() == thinned.fingerprint()
    assert torch.equal(alone.tensors()[0], thinned.tensors()[0])
    assert torch.equal(alone.tensors()[1], thinned.tensors()[1])
    assert np.array_equal(alone.official_indices, thinned.indices)
    assert index[alone.indices].tolist() == thinned.indices.tolist()


def test_another_ratio_seed_or_label_is_not_recognised(tiny_pictures):
    labels = official_labels('cifar100')
    index = np.sort(SubsetRule().draw(labels, 100))
    part = tiny_pictures(labels[index], 100, 'cifar100', index)
    for rule in (dict(imbalance_ratio=50), dict(seed=1), dict(protocol='first'), dict(profile='step')):
        with pytest.raises(UserError, match='thin it twice'):
            LongTailedDataset(part, **rule)
    swapped = labels[index].copy()
    swapped[[0, 1]] = swapped[[1, 0]]
    assert swapped[0] != swapped[1]
    with pytest.raises(UserError, match='thin it twice'):
        LongTailedDataset(tiny_pictures(swapped, 100, 'cifar100', index))
    assert LongTailedDataset(part, profile='natural').class_counts == np.bincount(labels[index]).tolist()


def test_an_exported_subset_of_an_unknown_set_is_recognised_by_what_it_states(tiny_pictures):
    thinned = LongTailedDataset(tiny_pictures(LABELS, 5), imbalance_ratio=10)
    stated = dict(profile='exp', imbalance_ratio=10, seed=0, protocol='cao', split='train',
                  fingerprint=thinned.fingerprint())
    part = tiny_pictures(thinned.labels, 5, 'tiny', thinned.indices, stated)
    alone = LongTailedDataset(part, imbalance_ratio=10)
    assert alone.fingerprint() == thinned.fingerprint()
    assert torch.equal(alone.tensors()[0], thinned.tensors()[0])
    for rule in (dict(imbalance_ratio=20), dict(imbalance_ratio=10, seed=1)):
        with pytest.raises(UserError, match='thin it twice'):
            LongTailedDataset(part, **rule)


def test_a_whole_set_in_another_order_gives_the_same_subset(tiny_pictures):
    mixed = np.random.RandomState(5).permutation(200)
    one = LongTailedDataset(tiny_pictures(LABELS, 5), imbalance_ratio=10)
    two = LongTailedDataset(tiny_pictures(LABELS[mixed], 5, index=mixed), imbalance_ratio=10)
    assert one.fingerprint() == two.fingerprint()
    assert torch.equal(one.tensors()[0], two.tensors()[0])


def test_labels_outside_the_classes_are_refused(tiny_pictures):
    for labels in ([0, 1, 5], [0, -1, 1], []):
        with pytest.raises(UserError, match='tiny must have labels, all in 0 to 1'):
            LongTailedDataset(tiny_pictures(labels, 2), profile='natural')


def test_wraps_sets_it_does_not_know(tiny_pictures):
    plain = tiny_pictures(LABELS, 5)
    foreign = SimpleNamespace(
        labels=LABELS, metainfo=dict(classes=plain.classes, dataset='tiny'), tensors=plain.tensors
    )
    assert torch.equal(LongTailedDataset(foreign, imbalance_ratio=10).tensors()[0],
                       LongTailedDataset(plain, imbalance_ratio=10).tensors()[0])


def test_content_hash_of_a_set_that_only_gives_single_images(tiny_pictures):
    class OneByOne(torch.utils.data.Dataset):
        labels, metainfo = LABELS, dict(classes=range(5), dataset='tiny')

        def __getitem__(self, place):
            return tiny_pictures(LABELS, 5)[place]

    subset = LongTailedDataset(OneByOne(), imbalance_ratio=10)
    assert not subset.resident
    assert subset.fingerprint() == LongTailedDataset(tiny_pictures(LABELS, 5), imbalance_ratio=10).fingerprint()
    with pytest.raises(UserError, match='image by image'):
        subset.tensors()
