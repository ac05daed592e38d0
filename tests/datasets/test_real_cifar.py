"""The real CIFAR images, where they are at hand."""

import pytest
import torch

from mmlt.datasets import CIFAR10, CIFAR100, LongTailedDataset
from mmlt.datasets.official import SPLIT_PIXELS, SUBSET_PIXELS, official_labels

pytestmark = pytest.mark.real_data


def test_the_pixels_and_labels_are_the_official_ones(unpacked):
    train, test = (CIFAR100(unpacked('cifar100'), split=split, download=False) for split in ('train', 'test'))
    assert train.fingerprint()['content_sha256'] == SPLIT_PIXELS['cifar100', 'train']
    assert test.fingerprint()['content_sha256'] == SPLIT_PIXELS['cifar100', 'test']
    assert train.labels.tolist() == official_labels('cifar100').tolist()
    assert train.metainfo['verified'] and test.metainfo['verified']
    assert test.metainfo['class_counts'] == [100] * 100


@pytest.mark.parametrize('ratio', [10, 20, 50, 100, 200])
def test_the_pinned_subsets(unpacked, ratio):
    subset = LongTailedDataset(CIFAR100(unpacked('cifar100'), download=False), imbalance_ratio=ratio)
    assert subset.fingerprint()['content_sha256'] == SUBSET_PIXELS['cifar100'][ratio]


def test_the_subset_alone_is_the_whole_set_thinned(unpacked):
    thinned = LongTailedDataset(CIFAR100(unpacked('cifar100'), download=False))
    alone = LongTailedDataset(CIFAR100(unpacked('cifar100-lt100'), download=False))
    assert len(alone.dataset) == len(alone) == 10847
    assert alone.fingerprint() == thinned.fingerprint()
    assert alone.metainfo == thinned.metainfo and alone.metainfo['verified']
    assert all(torch.equal(one, two) for one, two in zip(alone.tensors(), thinned.tensors(), strict=True))


def test_the_subset_of_cifar10_is_recognised(unpacked):
    subset = LongTailedDataset(CIFAR10(unpacked('cifar10-lt100'), download=False))
    assert subset.class_counts == [5000, 2997, 1796, 1077, 645, 387, 232, 139, 83, 50]
    assert subset.official_indices[:4].tolist() == subset.dataset.index[subset.indices[:4]].tolist()
    assert not subset.metainfo['verified']  # some of these pixels went through a JPEG copy


def test_the_test_labels_belong_to_their_split(unpacked):
    test = CIFAR10(unpacked('cifar10-lt100'), split='test', download=False)
    assert test.metainfo['class_counts'] == [1000] * 10
