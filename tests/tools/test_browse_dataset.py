"""The contact sheet shows the very pixels that the model gets."""

from pathlib import Path

import numpy as np
import pytest
import torch
from commands import call
from PIL import Image

from mmlt.apis.browse import browse
from mmlt.config.load import load_config
from mmlt.detection.drawing import colour_of
from mmlt.errors import UserError
from mmlt.registry import DATASETS, MODELS

ROOT = Path(__file__).resolve().parents[2]
CONFIG = 'configs/ce/resnet8_digitslt.py'


def test_tiles_are_the_augmented_batch():
    sheet, batch = browse(CONFIG, rows=3, columns=4, seed=5)
    preprocessor = MODELS.build(load_config(CONFIG).model.data_preprocessor)
    preprocessor.seed = 5
    expected = preprocessor.augment(batch, training=True).numpy().transpose(0, 2, 3, 1)
    pixels = np.asarray(sheet.draw())
    for place, tile in enumerate(expected):
        left, upper, right, lower = sheet.box(place)
        shown = pixels[upper:lower, left:right]
        assert np.array_equal(shown, np.kron(tile, np.ones((8, 8, 1), dtype=np.uint8)))
    assert not torch.equal(sheet.tiles, batch.images)  # it is augmented indeed


def test_rows_go_from_head_to_tail_and_use_an_image_once_before_twice():
    sheet, batch = browse(CONFIG, rows=10, columns=6)
    assert sheet.names == list('0123456789')
    assert sheet.counts[0] == '124 images' and sheet.counts[9] == '2 images'
    assert batch.targets.view(10, 6).unique(dim=1).flatten().tolist() == list(range(10))
    assert [len(row.unique()) for row in batch.indices.view(10, 6)] == [6] * 7 + [5, 3, 2]


def test_test_images_are_as_they_are():
    sheet, batch = browse(CONFIG, rows=2, columns=3, mode='test')
    images, labels = DATASETS.build(dict(type='Digits', split='test')).tensors()
    assert torch.equal(sheet.tiles, images[batch.indices])
    assert torch.equal(batch.targets, labels[batch.indices])


@pytest.mark.parametrize('label', [None, 3])
def test_further_views_stand_below_the_first(label):
    config = 'configs/bcl/resnet8_digitslt.py'
    sheet, batch = browse(config, rows=2, columns=3, label=label, seed=5)
    assert sheet.names == (['0', '', '', '9', '', ''] if label is None else ['3', *[''] * 5])
    assert [count for count in sheet.counts if count.startswith('view')] == ['view 2', 'view 3'] * 2
    preprocessor = MODELS.build(load_config(config).model.data_preprocessor)
    preprocessor.seed = 5
    views = preprocessor.augment(batch).chunk(3)
    pixels = np.asarray(sheet.draw())
    for row in range(2):
        for number, view in enumerate(views):
            for column in range(3):
                left, upper, right, lower = sheet.box((3 * row + number) * 3 + column)
                tile = view[3 * row + column].numpy().transpose(1, 2, 0)
                assert np.array_equal(pixels[upper:lower, left:right], np.kron(tile, np.ones((8, 8, 1), dtype=np.uint8)))


def test_one_class_fills_the_sheet():
    _, batch = browse(CONFIG, rows=3, columns=5, label=9)
    assert batch.targets.tolist() == [9] * 15
    with pytest.raises(UserError, match='0 to 9'):
        browse(CONFIG, label=10)


def test_command_line_writes_a_png_of_the_right_size(tmp_path):
    out = tmp_path / 'sheet.png'
    arguments = [CONFIG, '--out', out, '--rows', 2, '--columns', 3]
    done = call('browse_dataset', *arguments)
    assert done.code == 0, done.err
    sheet, _ = browse(CONFIG, rows=2, columns=3)
    with Image.open(out) as picture:
        assert picture.format == 'PNG' and picture.size == sheet.size
        # three tiles of 64 with their gaps beside the names, two rows of them below the title
        assert picture.size == (sheet.left + 3 * 66 + 12, 34 + 2 * 66 + 12)
        assert np.array_equal(np.asarray(picture), np.asarray(sheet.draw()))
    done = call('browse_dataset', *arguments)  # it knows its own picture
    assert done.code == 0, done.err


def test_images_with_objects_are_shown_with_their_boxes():
    config = 'configs/detection/mask_rcnn_small_digits.py'
    sheet, batch = browse(config, rows=3, columns=2, mode='test')
    assert len(sheet.tiles) == len(batch.images) == 6 and [len(one['labels']) >= 2 for one in batch.targets] == [True] * 6
    for row, name in enumerate(sheet.names):
        label = ('warm', 'cold').index(name.split()[0]) * 10 + int(name.split()[1])
        for place in (2 * row, 2 * row + 1):
            target, tile = batch.targets[place], sheet.tiles[place]
            assert label in target['labels']
            for box, one in zip((target['boxes'] * 2.5).int().tolist(), target['labels'].tolist(), strict=True):
                assert tile[:, box[1], box[0]].tolist() == list(colour_of(one)), 'a corner has the colour of the class'
