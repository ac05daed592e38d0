"""Parts of one's own data: each class parted alike, groups together, the same parts each time, and nothing lost."""

import numpy as np
import pytest
from label_forms import LABELS, NEST, ONE, SEVERAL, SHOWN, photos, write

from mmlt.datasets import ImageFolder, ImageList, LongTailedDataset, MultiLabelDataset
from mmlt.datasets.holdout import split_places
from mmlt.errors import UserError

TAIL = np.repeat(np.arange(8), [400, 173, 60, 25, 9, 3, 2, 1])


@pytest.fixture(scope='module')
def birds(tmp_path_factory):
    """The photos, which the tests read."""
    return photos(tmp_path_factory.mktemp('birds'))


def shuffled(seed):
    return np.random.default_rng(seed).permutation(TAIL)


def check_parts(parts, size):
    assert sorted(np.concatenate(parts).tolist()) == list(range(size))
    assert all((np.diff(part) > 0).all() for part in parts)


@pytest.mark.parametrize('fractions', [(0.9, 0.1), (0.5, 0.5), (0.8, 0.1, 0.1), (0.34, 0.66)])
def test_each_class_is_parted_by_the_fractions(fractions):
    labels = shuffled(0)
    parts = split_places(labels, fractions, seed=3)
    check_parts(parts, len(labels))
    for k, total in enumerate(np.bincount(labels)):
        counts = np.array([(labels[part] == k).sum() for part in parts])
        exact = total * np.array(fractions)
        raised = (counts == 1) & (exact < 1)  # one at least, which the largest part gives
        assert (np.abs(counts - exact) < 1 + raised.sum()).all(), (k, counts)
        assert (counts > 0).sum() == min(total, len(fractions)) and (total == 0 or counts[0] > 0)


def test_the_seed_alone_decides():
    labels = shuffled(1)
    for groups in (None, np.arange(len(labels)) // 3):
        one, again, other = (split_places(labels, (0.8, 0.2), groups, seed) for seed in (5, 5, 6))
        assert all(np.array_equal(a, b) for a, b in zip(one, again, strict=True)) and not np.array_equal(one[1], other[1])


@pytest.mark.parametrize('seed', range(4))
def test_groups_stay_together_and_classes_near_their_fractions(seed):
    rng = np.random.default_rng(seed)
    labels = np.sort(shuffled(seed))
    groups = np.cumsum(rng.random(len(labels)) < 0.4) + 100  # some two or three images, a few of two classes
    order = rng.permutation(len(labels))
    labels, groups = labels[order], groups[order]
    parts = split_places(labels, (0.75, 0.25), groups, seed)
    check_parts(parts, len(labels))
    assert not set(groups[parts[0]]) & set(groups[parts[1]])
    for k, total in enumerate(np.bincount(labels)):
        own = groups[labels == k]
        largest, number = np.bincount(own).max(), len(set(own))
        held = (labels[parts[1]] == k).sum()
        assert abs(held - total / 4) <= largest + 1 and held < total, (k, held, total)
        assert held > 0 or number == 1 or (number == 2 and largest > 1)
    texts = split_places(labels, (0.75, 0.25), np.array([f'{group:05}' for group in groups]), seed)
    assert np.array_equal(texts[1], parts[1])


@pytest.mark.parametrize('seed', range(4))
def test_several_labels(seed):
    rng = np.random.default_rng(seed)
    shown = (rng.random((1500, 6)) < [0.5, 0.3, 0.1, 0.03, 0.01, 0.002]).astype(np.float32)
    shown[:2, 5] = 1
    train, held = split_places(shown, (0.8, 0.2), seed=seed)
    check_parts([train, held], 1500)
    for k, total in enumerate(shown.sum(axis=0)):
        in_held = shown[held, k].sum()
        assert abs(in_held - total / 5) <= max(2, 0.02 * total) and 0 < in_held < total, (k, in_held, total)
    assert abs(len(held) - 300) <= 6
    random = rng.permutation(1500)[:300]  # what chance gives is worse

    def off(places):
        return np.abs(shown[places].mean(axis=0) / shown.mean(axis=0) - 1).max()

    assert off(held) < off(random)


def test_the_last_image_of_a_class_is_trained_on():
    shown = np.zeros((40, 3), dtype=np.float32)
    shown[:20, 0], shown[20:, 1] = 1, 1
    shown[5, 2] = 1  # class 2 has one image, which another class has too
    for seed in range(20):
        assert 5 in split_places(shown, (0.5, 0.5), seed=seed)[0]
    groups = np.r_[np.zeros(3), np.arange(1, 38)].astype(int)
    for seed in range(20):
        assert 0 in split_places(np.r_[0, 1, 1, np.arange(37) % 2 + 1], (0.5, 0.5), groups, seed)[0]


def test_a_hold_out_is_one_switch(birds, tmp_path):
    file = write(tmp_path, *ONE['lesions'][:2])

    def build(**options):
        return ImageList(birds, file, image_size=8, crop='random_resized', **options)

    whole, train, held = build(), *(build(holdout=dict(part=part, fraction=0.3)) for part in ('train', 'holdout'))
    paths = [{data.path(place) for place in range(len(data))} for data in (whole, train, held)]
    assert paths[1] | paths[2] == paths[0] and not paths[1] & paths[2] and paths[2]
    nest_of = dict(zip((whole.path(place) for place in range(len(whole))), NEST, strict=True))
    assert not {nest_of[path] for path in paths[1]} & {nest_of[path] for path in paths[2]}
    assert train.classes == held.classes == whole.classes and min(train.class_counts) > 0
    assert (whole.split, train.split, held.split) == (None, None, 'holdout')
    assert any('images of one lesion_id together' in note for note in train.notes)
    assert train.where(0) == whole.where([whole.path(place) for place in range(len(whole))].index(train.path(0)))
    aside = train.set_aside()
    assert [aside.path(place) for place in range(len(aside))] == [held.path(place) for place in range(len(held))]
    assert aside.crop == 'center' and aside.content_sha256() == held.content_sha256()
    assert train.fingerprint()['holdout'] == dict(part='train', fraction=0.3, seed=0)
    natural = LongTailedDataset(train, profile='natural')
    assert natural.fingerprint()['holdout']['part'] == 'train' and natural.notes == train.notes
    assert np.array_equal(natural.set_aside().labels, held.labels) and natural.set_aside().split == 'holdout'
    for data in (whole, held):
        with pytest.raises(UserError, match=r"sets no image aside: set holdout=dict\(part='train', fraction=0.1\)"):
            data.set_aside()


def test_folders_and_several_labels_have_a_hold_out_too(birds, tmp_path):
    data = ImageFolder(birds, image_size=8, holdout=dict(fraction=0.25))
    assert data.class_counts == [3, 5, 7, 1, 1] and data.set_aside().class_counts == [1, 1, 2, 1, 0]
    file = write(tmp_path, *SEVERAL['findings'])
    data = MultiLabelDataset(birds, file, image_size=8, holdout=dict(fraction=0.3))
    assert np.array_equal(np.add(data.class_counts, data.set_aside().class_counts), SHOWN.sum(axis=0))
    assert data.set_aside().class_counts != [0, 0, 0]


@pytest.mark.parametrize(('holdout', 'said'), [
    (dict(part='test'), "holdout: part must be one of train, holdout, not 'test'"),
    (dict(fraction=1), 'holdout: fraction must be a number above 0 and at most 0.9, got 1'),
    (dict(seed=-1), 'holdout: seed must be a whole number of at least 0'),
    (dict(share=0.1), r"holdout has no share: it is dict\(part='train' or 'holdout', fraction=0.1, seed=0\)"),
    (0.1, 'holdout is not 0.1: it is dict'),
])  # fmt: skip
def test_a_hold_out_that_is_none(holdout, said, birds):
    with pytest.raises(UserError, match=said):
        ImageFolder(birds, image_size=8, holdout=holdout)


def test_what_cannot_be_parted(tmp_path, birds):
    file = write(tmp_path, 'a.txt', 'avocet/a00.jpg 0\nbittern/b00.jpg 1\n')
    with pytest.raises(UserError, match='of 2 images of 2 classes none can be set aside: collect more'):
        ImageList(birds, file, image_size=8, holdout=dict(fraction=0.1))
    for fractions in ((1.0,), (0.5, 0.4), (1.2, -0.2)):
        with pytest.raises(UserError, match='fractions must be two or more numbers above 0 that add up to 1'):
            split_places(np.array(LABELS), fractions)
