"""Data sets of several labels: CSV, list, arrays, canvases; the natural subset, its hold-out; what is wrong in one sentence."""

import numpy as np
import pytest
import torch
from PIL import Image

from mmlt.datasets import LongTailedDataset, MultiLabelArrays, MultiLabelDataset, MultiLabelDigits
from mmlt.datasets.subset import SubsetRule
from mmlt.engine.loader import build_loader
from mmlt.errors import UserError

LABELS = np.array([[1, 0, 1], [0, 0, 0], [0, 1, 0], [1, 1, 1], [1, 0, 0]])
LINES = {
    'csv': 'image,cat,dog,bird\n' + ''.join(f'i{n}.png,{a},{b},{c}\n' for n, (a, b, c) in enumerate(LABELS)),
    'numbers': 'i0.png 0,2\n\ni1.png -\ni2.png 1\ni3.png 0,1,2\ni4.png 0\n',
    'names': 'i0.png bird,cat\ni1.png -\ni2.png dog\ni3.png bird,dog,cat\ni4.png cat\n',
}


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    for n in range(5):
        Image.fromarray(rng.integers(0, 256, (12, 12, 3), dtype=np.uint8)).save(tmp_path / f'i{n}.png')
    return tmp_path


def build(folder, text, suffix='txt', **options):
    (folder / f'list.{suffix}').write_text(text)
    return MultiLabelDataset(folder, f'list.{suffix}', image_size=8, **options)


@pytest.mark.parametrize(
    ('kind', 'suffix', 'options'),
    [('csv', 'csv', {}), ('numbers', 'txt', {}), ('names', 'txt', dict(classes=['cat', 'dog', 'bird'])),
     ('csv', 'csv', dict(image_column='image', classes=['cat', 'dog', 'bird']))],
)  # fmt: skip
def test_lists_and_tables_say_the_same(folder, kind, suffix, options):
    data = build(folder, LINES[kind], suffix, **options)
    assert data.labels.dtype == np.float32 and np.array_equal(data.labels, LABELS)
    assert data.classes == (('0', '1', '2') if kind == 'numbers' else ('cat', 'dog', 'bird'))
    assert data.metainfo['class_counts'] == [3, 2, 2] and data.metainfo['num_images'] == 5
    image, label = data[3]
    assert image.shape == (3, 8, 8) and label.dtype == torch.float32 and label.tolist() == [1, 1, 1]
    assert data.problems() == [] and data.class_folders is None


def test_columns_in_another_order_and_a_choice_of_them(folder):
    data = build(folder, LINES['csv'], 'csv', classes=['bird', 'cat'])
    assert np.array_equal(data.labels, LABELS[:, [2, 0]])


def test_labels_are_part_of_the_fingerprint(folder):
    one = build(folder, LINES['numbers']).fingerprint()
    other = build(folder, LINES['numbers'].replace('i4.png 0', 'i4.png 1')).fingerprint()
    assert one['content_sha256'] != other['content_sha256'] and one['indices_sha256'] == other['indices_sha256']


@pytest.mark.parametrize(
    ('text', 'suffix', 'options', 'said'),
    [
        ('i0.png 0,x\n', 'txt', {}, "line 1 of .*label 'x', which is none of numbers from 0"),
        ('i0.png 0,5\n', 'txt', dict(classes=['a', 'b']), "line 1 .*label '5', which is none of the 2 classes"),
        ('i0.png\n', 'txt', {}, 'line 1 of .*is not a path and labels'),
        ('\n', 'txt', {}, 'names no image'),
        ('i0.png 1\n', 'txt', dict(image_column='image'), 'image_column names a column of a .csv file'),
        ('image,cat\ni0.png,-1\n', 'csv', {}, "line 2 of .*'-1' for 'cat', where 1 .* or 0"),
        ('image,cat\ni0.png\n', 'csv', {}, 'line 2 of .*has 1 cells, and the header 2'),
        ('image,cat\n', 'csv', {}, 'names no image'),
        ('image,cat\ni0.png,1\n', 'csv', dict(classes=['dog']), "no column 'dog'.*correct classes"),
        ('image,cat\ni0.png,1\n', 'csv', dict(image_column='path'), "no column 'path'.*correct image_column"),
        ('image,cat,cat\ni0.png,1,0\n', 'csv', {}, "the column 'cat' twice: name each once"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(folder, text, suffix, options, said):
    with pytest.raises(UserError, match=said):
        build(folder, text, suffix, **options)


def test_a_missing_image_names_its_line(folder):
    data = build(folder, LINES['numbers'].replace('i2', 'absent'))
    (problem,) = data.problems()
    assert 'absent.png (line 4 of' in problem


def test_arrays(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 3), dtype=np.uint8)
    np.savez(tmp_path / 'chest.npz', images=images, labels=LABELS)
    data = MultiLabelArrays(tmp_path / 'chest.npz', classes=['a', 'b', 'c'])
    assert data.name == 'chest' and data.class_counts == [3, 2, 2] and data[0][1].tolist() == [1, 0, 1]
    other = LABELS.copy()
    other[1, 1] = 1
    np.savez(tmp_path / 'other.npz', images=images, labels=other)
    assert MultiLabelArrays(tmp_path / 'other.npz').fingerprint()['content_sha256'] != data.fingerprint()['content_sha256']
    for arrays, said in (
        (dict(images=images, labels=LABELS[:, 0]), 'must be numbers of the shape'),
        (dict(images=images, labels=2 * LABELS), 'image 0 has 2 for class 0'),
        (dict(images=images[:4], labels=LABELS), r'uint8 of the shape \(5, H, W, 3\)'),
        (dict(images=images), 'cannot be read as arrays'),
    ):
        np.savez(tmp_path / 'bad.npz', **arrays)
        with pytest.raises(UserError, match=said):
            MultiLabelArrays(tmp_path / 'bad.npz')
    with pytest.raises(UserError, match='there is no file'):
        MultiLabelArrays(tmp_path / 'absent.npz')


def test_the_natural_set_keeps_order_and_refuses_to_be_thinned(folder):
    data = build(folder, LINES['csv'], 'csv')
    natural = LongTailedDataset(data, profile='natural')
    assert natural.indices.tolist() == list(range(5)) and natural.class_counts == [3, 2, 2]
    assert natural.metainfo['num_images'] == 5 and natural[3][1].tolist() == [1, 1, 1]
    with pytest.raises(UserError, match="several labels, so no class can be thinned by itself: set profile='natural'"):
        LongTailedDataset(data, profile='exp', imbalance_ratio=2)
    nothing = build(folder, LINES['csv'].replace(',1\n', ',0\n'), 'csv')
    with pytest.raises(UserError, match='class 2 of list would have no training image'):
        LongTailedDataset(nothing, profile='natural')


def test_loaders_hand_out_float_targets(folder):
    data = build(folder, LINES['csv'], 'csv')
    for dataset in (LongTailedDataset(data, profile='natural'), MultiLabelDigits('test')):
        for batch in build_loader(dict(batch_size=3, dataset=dataset)):
            assert batch.targets.dtype == torch.float32 and batch.targets.shape == (len(batch.images), len(dataset.labels[0]))
            assert torch.equal(batch.targets, torch.from_numpy(dataset.labels[batch.indices.numpy()]))


def test_canvases_are_the_same_each_time_and_long_tailed():
    one, again, other, test = MultiLabelDigits(), MultiLabelDigits(), MultiLabelDigits(seed=1), MultiLabelDigits('test')
    assert np.array_equal(one.images, again.images) and not np.array_equal(one.images, other.images)
    assert one.images.shape == (500, 32, 32, 3) and sorted(one.class_counts)[::19] == [3, 200]
    assert other.class_counts == one.class_counts and set(test.class_counts) == {60}
    for data in (one, test):
        assert set(data.labels.sum(axis=1)) == {2, 3, 4}
    with pytest.raises(UserError, match='split of MultiLabelDigits'):
        MultiLabelDigits('val')


def test_a_hold_out_takes_a_fifth_of_each_class_at_most_and_one_of_each_rare_one():
    data = MultiLabelDigits()
    train, held = (
        LongTailedDataset(data, profile='natural', protocol='cao-holdout', split=split) for split in ('train', 'holdout')
    )
    assert sorted([*train.indices, *held.indices]) == list(range(500))
    counts = np.array(data.class_counts)
    assert (np.array(held.class_counts) <= np.maximum(counts // 5, 1)).all() and min(held.class_counts) >= 1
    assert min(train.class_counts) >= 2 and sum(held.class_counts) > 0.15 * counts.sum()


def test_a_hold_out_has_its_share_of_the_images_without_a_label():
    data = MultiLabelDigits()
    shown = np.array(data.labels)
    labels = np.concatenate([shown, np.zeros((1500, shown.shape[1]), dtype=shown.dtype)])
    rule = SubsetRule(profile='natural', protocol='cao-holdout', split='holdout')
    held = labels[rule.draw(labels, shown.shape[1])]
    share = (held.sum(axis=1) == 0).mean()
    assert share == pytest.approx(0.75, abs=0.01) and len(np.unique(held, axis=0)) > 1
