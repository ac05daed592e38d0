"""The images of some classes: which classes a config asks for, and what is left of a set."""

import json

import numpy as np
import pytest
import torch

from mmlt.datasets import Digits, LongTailedDataset, MultiLabelDigits
from mmlt.datasets.class_subset import ClassSubset, class_places
from mmlt.engine.loader import build_loader
from mmlt.errors import UserError

NAMES = ['a', 'b', 'c', 'd', 'e']
COUNTS = [300, 120, 60, 12, 4]


def test_classes_by_name_place_shot_and_file(tmp_path):
    def places(spec):
        return class_places(spec, NAMES, COUNTS)

    assert places(['d', 'a']) == [3, 0] and places([4, 1]) == [4, 1]
    assert places(dict(group='many')) == [0, 1] and places(dict(group='few')) == [3, 4]
    assert places(dict(group='few', convention='prior-lt')) == [3, 4]
    assert places(dict(group='medium', convention='prior-lt')) == [1, 2]
    file = tmp_path / 'groups.json'
    file.write_text(json.dumps({'left': ['e', 'c'], 'right': [0, 2, 4]}))  # they overlap
    assert places(dict(group='left', file=str(file))) == [4, 2] and places(dict(group='right', file=str(file))) == [0, 2, 4]
    for spec, said in (
        (['a', 'x'], "'x' is no class"),
        (['a', 'a'], 'stands there twice'),
        ([True, 1], 'True is no class'),
        (['a'], r'has 1 class\(es\)'),
        (dict(group='medium'), r'has 1 class\(es\)'),
        (dict(group='rare'), "no shot group 'rare'"),
        (dict(group='few', convention='usual'), "convention 'usual'"),
        (dict(shot='few'), 'is a list of classes, dict'),
        (dict(group='left', file=str(file), convention='ncl'), 'is a list of classes, dict'),
        (dict(group='middle', file=str(file)), "has no group 'middle'; it has left, right"),
        (dict(group='left', file=str(tmp_path / 'absent.json')), 'cannot be read as JSON'),
        (7, 'must be a list of classes'),
    ):
        with pytest.raises(UserError, match=said):
            places(spec)


@pytest.fixture(scope='module')
def digits():
    return LongTailedDataset(Digits('train'), profile='exp', imbalance_ratio=50)


def test_images_of_one_label(digits):
    subset = ClassSubset(digits, [7, 2])
    kept = [place for place, label in enumerate(digits.labels) if label in (7, 2)]
    assert subset.indices.tolist() == kept and subset.classes == ('7', '2')
    assert subset.class_counts == [digits.class_counts[7], digits.class_counts[2]]
    assert [subset.classes[label] for label in subset.labels] == [digits.classes[digits.labels[place]] for place in kept]
    images, labels = subset.tensors()
    for place in (0, len(subset) - 1):
        image, label = subset[place]
        assert torch.equal(image, digits[kept[place]][0]) and torch.equal(image, images[place]) and label == labels[place]
    one, other = subset.fingerprint(), ClassSubset(digits, [2, 7]).fingerprint()
    assert one['indices_sha256'] == other['indices_sha256'] and one['kept_classes'] != other['kept_classes']
    assert one['num_images'] == len(kept) and subset.split == 'train'


def test_images_of_several_labels_keep_those_of_the_classes():
    data = MultiLabelDigits()
    subset = ClassSubset(data, [5, 11, 14])
    kept = [place for place in range(500) if data.labels[place, [5, 11, 14]].any()]
    assert subset.indices.tolist() == kept and np.array_equal(subset.labels, data.labels[kept][:, [5, 11, 14]])
    assert subset.class_counts == [data.class_counts[c] for c in (5, 11, 14)]
    assert subset.metainfo['num_images'] == len(kept) and subset[0][1].shape == (3,)


def test_the_loader_takes_the_classes(digits):
    loader = build_loader(dict(batch_size=40, dataset=digits, classes=dict(group='few', convention='prior-lt')), training=True)
    assert loader.dataset.classes == ('6', '7', '8', '9')
    assert sum(len(batch.targets) for batch in loader) == sum(digits.class_counts[6:])
    assert {int(label) for batch in loader for label in batch.targets} == {0, 1, 2, 3}
