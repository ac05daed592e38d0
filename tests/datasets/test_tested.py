"""Images looked at as those of a test set are, whatever their own set draws; and files that have changed."""

import os

import pytest
import torch

from mmlt.datasets import Digits, ImageFolder, LongTailedDataset, image_files
from mmlt.datasets.class_subset import ClassSubset
from mmlt.datasets.mmpretrain_dataset import build_dataset
from mmlt.datasets.tested import as_tested
from mmlt.engine.loader import build_loader
from mmlt.errors import UserError

LOAD, PACK = dict(type='LoadImageFromFile'), dict(type='PackInputs')
DRAWN = [LOAD, dict(type='RandomCrop', crop_size=12), dict(type='ColorJitter', brightness=0.5), PACK]
STILL = [LOAD, dict(type='ResizeEdge', scale=20), dict(type='CenterCrop', crop_size=16), PACK]


def shown(dataset) -> torch.Tensor:  # noqa: ANN001
    """What a loader gives of all images, in their order, in an epoch whose keys are far from 0."""
    loader = build_loader(dict(dataset=dataset, batch_size=4))
    loader.set_position(7)
    return torch.cat([batch.images for batch in loader])


def whole(dataset) -> LongTailedDataset:  # noqa: ANN001
    """All images of a set, in its order, as part of it."""
    return LongTailedDataset(dataset, profile='natural', protocol='first')


def custom(root, pipeline) -> dict:  # noqa: ANN001
    return dict(type='mmpretrain.CustomDataset', data_root=str(root), pipeline=pipeline)


def test_random_pieces_give_way_to_the_middle_at_the_test_sets_size(photo_folders):
    test = ImageFolder(photo_folders, image_size=16, resize=20)
    middle = shown(ImageFolder(photo_folders, image_size=12))
    for more in ({}, dict(crop_area=[(0.1, 1.0), (0.1, 0.5)])):
        own = ImageFolder(photo_folders, image_size=12, crop='random_resized', **more)
        for train in (own, whole(own), ClassSubset(whole(own), [0, 1])):
            before = shown(train)
            for part in (test, whole(test)):
                assert torch.equal(shown(as_tested(train, part)), shown(test))
                assert torch.equal(shown(as_tested(train, part, own_size=True)), middle)
            assert torch.equal(shown(train), before), 'the set itself is left alone'
    assert torch.equal(shown(as_tested(own, Digits('test'))), middle)
    digits = LongTailedDataset(Digits('train'), imbalance_ratio=10)
    assert as_tested(digits, test) is digits, 'pixels in memory are not copied'


def test_images_of_mmpretrain_go_through_the_pipeline_of_the_test_set(photo_folders):
    test = build_dataset(custom(photo_folders, STILL))
    own = build_dataset(custom(photo_folders, DRAWN))
    assert torch.equal(shown(as_tested(own, whole(test))), shown(test))
    assert torch.equal(shown(as_tested(whole(own), test)), shown(test))
    twice = build_dataset(dict(type='ConcatDataset', datasets=[custom(photo_folders, DRAWN)] * 2))
    assert torch.equal(shown(as_tested(twice, test)), shown(test).repeat(2, 1, 1, 1))
    assert torch.equal(shown(as_tested(own, twice)), shown(twice)[:8]), 'of joined sets the first says how'
    assert shown(own).shape[2:] == (12, 12), 'the set itself is left alone'
    for other in (None, ImageFolder(photo_folders, image_size=16)):
        with pytest.raises(UserError, match='CustomDataset are tested is said by the pipeline .*read both with mmpretrain'):
            as_tested(own, other)


@pytest.mark.parametrize('most', [image_files.WHOLE_FILES, 3])
def test_a_changed_file_is_noticed(most, tmp_path, monkeypatch):
    monkeypatch.setattr(image_files, 'WHOLE_FILES', most)
    monkeypatch.setattr(image_files, 'SAMPLE_FILES', 2)
    files = [str(tmp_path / f'{place}.bin') for place in range(5)]
    for place, file in enumerate(files):
        with open(file, 'wb') as stream:
            stream.write(bytes([place]) * 9)
        os.utime(file, (1e9, 1e9))
    state = image_files.state_sha256(files)
    assert image_files.state_sha256(files) == state
    os.utime(files[2], (1e9, 1e9 + 1))
    assert (image_files.state_sha256(files) == state) == (most > 5), 'times count where not all bytes are read'
    os.utime(files[2], (1e9, 1e9))
    with open(files[2], 'wb') as stream:
        stream.write(b'x' * 9)
    assert image_files.state_sha256(files) != state
