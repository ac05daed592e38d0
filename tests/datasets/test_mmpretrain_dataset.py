"""mmpretrain's data sets and pipelines behind mmlt's loaders."""

import hashlib
import pickle
import random

import numpy as np
import pytest
import torch
from PIL import Image

from mmlt.datasets import LongTailedDataset
from mmlt.datasets.mmpretrain_dataset import build_dataset, seeded
from mmlt.datasets.views import view_of
from mmlt.engine.loader import build_loader
from mmlt.errors import UserError

CLASSES = ('ant', 'bee', 'cat')
LOAD, PACK = dict(type='LoadImageFromFile'), dict(type='PackInputs')


def pixels(label: int, place: int) -> np.ndarray:
    """An image whose channels differ, (8, 8, 3)."""
    return np.random.default_rng([label, place]).integers(0, 256, (8, 8, 3), dtype=np.uint8)


@pytest.fixture
def folders(tmp_path):
    """Class folders with 6 images each."""
    for label, name in enumerate(CLASSES):
        (tmp_path / 'set' / name).mkdir(parents=True)
        for place in range(6):
            Image.fromarray(pixels(label, place)).save(tmp_path / 'set' / name / f'{place}.png')
    return tmp_path / 'set'


def custom(root, *pipeline, **more) -> dict:  # noqa: ANN001, ANN002, ANN003
    """A config of `CustomDataset`."""
    return dict(type='mmpretrain.CustomDataset', data_root=str(root), pipeline=list(pipeline), **more)


@pytest.mark.parametrize(
    'pipeline',
    [
        (LOAD, PACK),
        (LOAD,),
        (dict(type='LoadImageFromFile', imdecode_backend='pillow'), PACK),
        (LOAD, dict(type='NumpyToPIL', to_rgb=True), PACK),
        (LOAD, dict(type='NumpyToPIL', to_rgb=True), dict(type='PILToNumpy', to_bgr=True), PACK),
    ],
)
def test_images_are_rgb_whatever_reads_them(folders, pipeline):
    dataset = build_dataset(custom(folders, *pipeline))
    assert dataset.metainfo['classes'] == CLASSES and dataset.metainfo['class_counts'] == [6, 6, 6]
    for place in (0, 7, 17):
        image, label = dataset[place]
        assert label == place // 6 and image.dtype == torch.uint8
        assert np.array_equal(image.permute(1, 2, 0).numpy(), pixels(label, place % 6))


def test_names_in_a_pipeline_are_mmpretrains(folders):
    crop = dict(type='RandomCrop', crop_size=4)  # mmlt's of that name takes `padding` alone
    assert build_dataset(custom(folders, LOAD, crop, PACK))[0][0].shape == (3, 4, 4)


def batches(dataset, workers: int, epoch: int) -> list:  # noqa: ANN001
    """All batches of an epoch."""
    loader = build_loader(dict(dataset=dataset, batch_size=4, num_workers=workers), seed=3, training=True)
    loader.set_position(epoch)
    return list(loader)


def test_random_numbers_follow_from_the_draw(folders):
    flip, jitter = dict(type='RandomFlip', prob=0.5), dict(type='ColorJitter', brightness=0.5)
    torchvision = dict(type='torchvision/RandomRotation', degrees=40)
    pil = dict(type='NumpyToPIL', to_rgb=True)
    dataset = build_dataset(custom(folders, LOAD, flip, jitter, pil, torchvision, PACK))
    subset = LongTailedDataset(dataset, profile='exp', imbalance_ratio=3)
    alone, again = batches(subset, 0, 1), batches(subset, 0, 1)
    two, other = batches(subset, 2, 1), batches(subset, 0, 2)
    for first, *others in zip(alone, again, two, strict=True):
        assert all(torch.equal(first.images, one.images) and torch.equal(first.targets, one.targets) for one in others)
    assert sum(len(batch.targets) for batch in alone) == sum(subset.class_counts) < 18
    first, second = (
        {int(place): image for batch in epoch for place, image in zip(batch.indices, batch.images, strict=True)}
        for epoch in (alone, other)
    )
    assert any(not torch.equal(first[place], second[place]) for place in first)


def test_the_streams_of_random_numbers_are_put_back():
    np.random.seed(0), random.seed(0), torch.manual_seed(0)
    expected = np.random.rand(), random.random(), torch.rand(1)
    np.random.seed(0), random.seed(0), torch.manual_seed(0)
    with seeded(2**70 + 1):
        inside = np.random.rand(), random.random(), torch.rand(1)
    with seeded(2**70 + 1):
        assert inside == (np.random.rand(), random.random(), torch.rand(1))
    assert (np.random.rand(), random.random(), torch.rand(1)) == expected


def test_the_fingerprint_follows_labels_and_names_not_places(folders, tmp_path):
    first = build_dataset(custom(folders, LOAD, PACK)).fingerprint()
    assert first['num_images'] == 18 and first['dataset'] == 'CustomDataset'
    folders.rename(tmp_path / 'moved')
    assert build_dataset(custom(tmp_path / 'moved', LOAD, PACK)).fingerprint() == first
    (tmp_path / 'moved' / 'ant' / '0.png').rename(tmp_path / 'moved' / 'bee' / '9.png')
    assert build_dataset(custom(tmp_path / 'moved', LOAD, PACK)).fingerprint() != first


def test_arrays_are_taken_as_they_are(tmp_path, monkeypatch):
    """mmpretrain's CIFAR100 holds RGB arrays: nothing is turned round."""
    from mmpretrain.datasets import CIFAR100

    folder = tmp_path / CIFAR100.base_folder
    folder.mkdir()
    images = np.random.default_rng(0).integers(0, 256, (5, 3, 32, 32), dtype=np.uint8)
    sums = {}
    for name, content in (
        ('train', dict(data=images.reshape(5, -1), fine_labels=[3, 1, 4, 1, 5])),
        ('meta', dict(fine_label_names=[f'c{place}' for place in range(100)])),
    ):
        (folder / name).write_bytes(pickle.dumps(content))
        sums[name] = hashlib.md5((folder / name).read_bytes()).hexdigest()
    monkeypatch.setattr(CIFAR100, 'train_list', [['train', sums['train']]])
    monkeypatch.setattr(CIFAR100, 'test_list', [])
    monkeypatch.setattr(CIFAR100, 'meta', {**CIFAR100.meta, 'md5': sums['meta']})
    dataset = build_dataset(dict(type='mmpretrain.CIFAR100', data_root=str(tmp_path), pipeline=[PACK]))
    assert dataset.labels.tolist() == [3, 1, 4, 1, 5] and len(dataset.classes) == 100
    assert all(np.array_equal(dataset[place][0].numpy(), images[place]) for place in range(5))


def test_several_sets_of_mmpretrain_are_joined(folders):
    joined = build_dataset(dict(type='ConcatDataset', datasets=[custom(folders, LOAD, PACK)] * 2))
    assert joined.metainfo['class_counts'] == [12, 12, 12]
    assert torch.equal(joined[20][0], joined[2][0]) and joined[20][1] == 0


def test_an_image_that_gives_no_pixels_is_refused(folders):
    floats = build_dataset(custom(folders, LOAD, dict(type='Normalize', mean=[0.0] * 3, std=[1.0] * 3), PACK))
    with pytest.raises(UserError, match='leave Normalize out'):
        _ = floats[0]
    dataset = build_dataset(custom(folders, LOAD, PACK))
    (folders / 'ant' / '0.png').unlink()
    with pytest.raises(UserError, match='image 0 of CustomDataset does not pass its pipeline'):
        _ = dataset[0]


def test_an_image_that_the_pipeline_drops_is_no_other_image(folders):
    (folders / 'ant' / '1.png').write_bytes(b'')
    cfg = custom(folders, dict(LOAD, ignore_empty=True), PACK)
    for dataset in (build_dataset(cfg), build_dataset(dict(type='ConcatDataset', datasets=[cfg, cfg]))):
        for key in range(4):
            with pytest.raises(UserError, match='image 1 of .* does not pass its pipeline'):
                _ = dataset[1, key]
        assert dataset[0][1] == 0


def test_labels_that_are_none_of_the_classes_are_refused(folders):
    (folders / 'list.txt').write_text('ant/0.png 1\nbee/0.png 2\n')
    cfg = custom(folders, LOAD, PACK, ann_file='list.txt', metainfo=dict(classes=['ant', 'bee']))
    with pytest.raises(UserError, match='image 1 of CustomDataset has the label 2, and the labels of its 2 classes are 0 to 1'):
        build_dataset(cfg)


@pytest.mark.parametrize(
    ('steps', 'size', 'resize'),
    [
        ([dict(type='ResizeEdge', scale=10), dict(type='CenterCrop', crop_size=8)], 8, 10),
        ([dict(type='CenterCrop', crop_size=6)], 6, None),
        ([dict(type='NumpyToPIL', to_rgb=True), dict(type='PILToNumpy', to_bgr=True)], 8, None),
        ([dict(type='ResizeEdge', scale=10, edge='long'), dict(type='CenterCrop', crop_size=8)], None, None),
        ([dict(type='Resize', scale=10), dict(type='CenterCrop', crop_size=8)], None, None),
        ([dict(type='EfficientNetCenterCrop', crop_size=8)], None, None),
    ],
)
def test_the_view_of_a_pipeline_is_what_it_does_or_unknown(folders, steps, size, resize):
    cfg = custom(folders, LOAD, *steps, PACK)
    for joined in (False, True):
        view = view_of(build_dataset(dict(type='ConcatDataset', datasets=[cfg, cfg]) if joined else cfg))
        assert view is None if size is None else (view.height, view.width, view.resize) == (size, size, resize)


@pytest.mark.parametrize(
    ('cfg', 'sentence'),
    [
        (dict(type='mmpretrain.CustomDataset', data_root='nowhere'), 'mmpretrain.CustomDataset cannot be built'),
        (dict(type='mmpretrain.CIFAR100', data_root='nowhere', download=False), 'cannot be built'),
        (dict(type='ConcatDataset', datasets=[dict(type='Digits')]), 'ImageList'),
    ],
)
def test_what_cannot_be_built_is_said(cfg, sentence):
    with pytest.raises(UserError, match=sentence):
        build_dataset(cfg)
