"""COCO's and LVIS's files, the generated example, and transforms that boxes and masks follow."""

import numpy as np
import pytest
import torch
from PIL import Image
from small_boxes import small

from mmlt.detection import CocoDataset, DigitCanvases, LVISDataset, SignCanvases
from mmlt.detection.annotations import decode, file_of, run_lengths
from mmlt.engine.loops import build_loader
from mmlt.errors import UserError
from mmlt.priors import shot_groups

FLIP = dict(type='TorchvisionTransform', name='RandomHorizontalFlip', arguments=dict(p=0.5))
CROP = dict(type='TorchvisionTransform', name='RandomCrop', arguments=dict(size=[40, 40]))


@pytest.fixture(scope='module')
def example(tmp_path_factory):
    root = tmp_path_factory.mktemp('canvases')
    DigitCanvases('train').write(root, 'train')
    return root


@pytest.fixture(scope='module')
def canvases():
    return DigitCanvases('train')


# ------------------------------------------------------------------ files
def test_images_objects_and_classes_of_a_file(tmp_path):
    pytest.importorskip('faster_coco_eval', reason='the extra `detection` (faster-coco-eval) is not installed')
    small(tmp_path)
    data = LVISDataset('small.json', str(tmp_path), keep_empty=True)
    assert data.metainfo['classes'] == ('early', 'late') and data.metainfo['category_ids'].tolist() == [2, 9]
    assert data.metainfo['image_ids'].tolist() == [7, 3, 5] and data.metainfo['num_images'] == 3
    assert data.class_counts == [1, 2], 'neither the crowd nor the box without width counts'
    assert data.labels.tolist() == [[True, True], [False, False], [False, True]]
    image, target = data[0]
    assert image.shape == (3, 20, 30) and image.dtype == torch.uint8 and (image == 60).all()
    assert target['boxes'].tolist() == [[0, 0, 5, 5], [1.5, 1, 6.5, 6]] and target['labels'].tolist() == [0, 1]
    assert torch.equal(target['masks'][0], torch.eye(20, 30, dtype=torch.uint8))
    _, target = data[2]
    expected = torch.zeros(20, 30, dtype=torch.uint8)
    expected[2:10, 4:14] = 1
    assert torch.equal(target['masks'][0], expected)
    _, target = data[1]
    assert target['boxes'].shape == (0, 4) and target['masks'].shape == (0, 20, 30)

    data = CocoDataset('small.json', str(tmp_path), masks=False)
    assert len(data) == 2 and data.metainfo['image_ids'].tolist() == [7, 5] and data.metainfo['num_images'] == 2
    assert data[1][1].keys() == {'boxes', 'labels'} and data[1][1]['labels'].tolist() == [1]


def test_names_of_files_in_the_versions_of_lvis():
    v1 = dict(id=1, coco_url='http://images.cocodataset.org/train2017/000000391895.jpg')
    assert file_of(v1) == 'train2017/000000391895.jpg'
    assert file_of(dict(file_name='COCO_val2014_000000391895.jpg')) == '000000391895.jpg'
    assert file_of(dict(file_name='000000391895.jpg')) == '000000391895.jpg'
    assert file_of(dict(v1, file_name='a.jpg')) == 'train2017/000000391895.jpg'
    for unknown in ('', None):
        assert file_of(dict(coco_url=unknown, file_name='a.jpg')) == 'a.jpg'


def test_masks_of_run_lengths_and_polygons():
    masks = pytest.importorskip('faster_coco_eval.core.mask', reason='the extra `detection` is not installed')
    random = np.random.default_rng(0)
    for share in (0, 0.2, 0.9, 1):
        mask = random.random((13, 17)) < share
        mask[0, 0] = share > 0.5
        assert np.array_equal(decode(run_lengths(mask), 13, 17), mask)
        assert np.array_equal(decode(masks.encode(np.asfortranarray(mask.astype(np.uint8))), 13, 17), mask)
        assert np.array_equal(masks.decode(masks.segmToRle(run_lengths(mask), 17, 13)), mask)
    for wrong in (None, [], dict(size=[13, 17], counts=[5, 5]), dict(size=[13, 17])):
        with pytest.raises(UserError, match='a segmentation cannot be read'):
            decode(wrong, 13, 17)


def test_the_files_of_the_example_hold_what_the_example_gives(example, canvases):
    data = LVISDataset('train.json', str(example))
    assert len(data) == 480 and data.class_counts == canvases.class_counts
    assert data.metainfo['classes'] == canvases.metainfo['classes']
    for place in (0, 17, 479):
        (image, target), (other, wanted) = data[place], canvases[place]
        assert torch.equal(image, other)
        assert all(torch.equal(target[name], wanted[name]) for name in ('boxes', 'labels', 'masks'))
    truth = data.ground_truth()
    assert data.problems() == []
    assert truth['categories'] == canvases.ground_truth()['categories']
    held = {one['category_id'] for one in truth['annotations'] if one['image_id'] == 1}
    assert held.isdisjoint(truth['images'][0]['neg_category_ids']) and len(held) >= 2


def test_the_example_is_a_long_tail_and_its_test_set_is_balanced(canvases):
    groups = shot_groups(canvases.class_counts, 'lvis')
    assert [len(groups[name]) for name in ('many', 'medium', 'few')] == [7, 7, 6]
    frequency = [category['frequency'] for category in canvases.ground_truth()['categories']]
    assert all(frequency[c] == letter for name, letter in (('many', 'f'), ('few', 'r')) for c in groups[name])
    test = DigitCanvases('test')
    assert len(test) == 270 and test.class_counts == [40] * 20
    assert DigitCanvases('train').fingerprint() == canvases.fingerprint()
    assert DigitCanvases('train', seed=1).fingerprint()['content_sha256'] != canvases.content_sha256()


def test_signs_are_pasted_on_canvases_of_their_own(tmp_path):
    random = np.random.default_rng(0)
    for split, images in (('train', 86), ('test', 43)):
        pixels = random.integers(100, 256, (images, 32, 32, 3), dtype=np.uint8)
        np.savez(tmp_path / f'{split}.npz', images=pixels, labels=np.arange(images) % 43)
    data = SignCanvases(str(tmp_path))
    assert len(data) == 560 and max(data.class_counts) == 150 and min(data.class_counts) == 3
    groups = shot_groups(data.class_counts, 'lvis')
    assert [len(groups[name]) for name in ('many', 'medium', 'few')] == [5, 24, 14]
    image, target = data[0]
    assert image.shape == (3, 96, 96) and target['masks'].shape[1:] == (96, 96)
    assert SignCanvases(str(tmp_path), 'test').class_counts == [20] * 43
    with pytest.raises(UserError, match='there are no traffic signs'):
        SignCanvases(str(tmp_path / 'elsewhere'))


def test_missing_files_and_images_are_named(tmp_path):
    with pytest.raises(UserError, match='there is no annotation file .*small.json'):
        CocoDataset('small.json', str(tmp_path))
    (tmp_path / 'small.json').write_text('{')
    with pytest.raises(UserError, match='cannot be read as JSON'):
        CocoDataset('small.json', str(tmp_path))
    small(tmp_path)
    with pytest.raises(UserError, match='there is no folder .*elsewhere with the images'):
        CocoDataset('small.json', str(tmp_path), img_root=str(tmp_path / 'elsewhere'))
    data = CocoDataset('small.json', str(tmp_path), masks=False)
    (tmp_path / 'a.png').unlink()
    with pytest.raises(UserError, match='there is no image .*a.png'):
        data[0]
    (tmp_path / 'a.png').write_bytes(b'no picture')
    with pytest.raises(UserError, match='a.png cannot be read as an image'):
        data[0]
    Image.fromarray(np.zeros((30, 20, 3), dtype=np.uint8)).save(tmp_path / 'a.png')
    with pytest.raises(UserError, match='image a.png of coco has 30x20 pixels, its annotation says 20x30'):
        data[0]


# ------------------------------------------------------------------ transforms
def test_boxes_and_masks_follow_and_a_draw_depends_on_its_key_alone():
    data = DigitCanvases('train', train_transforms=[FLIP])
    image, target = data[3]
    turned = 0
    for key in range(30):
        torch.manual_seed(key % 3)
        before = torch.get_rng_state()
        other, moved = data[3, key]
        assert torch.equal(torch.get_rng_state(), before), 'the global generator is left alone'
        again, _ = data[3, key]
        assert torch.equal(other, again)
        if torch.equal(other, image):
            assert torch.equal(moved['boxes'], target['boxes'])
            continue
        turned += 1
        assert torch.equal(other, image.flip(2)) and torch.equal(moved['masks'], target['masks'].flip(2))
        expected = target['boxes'].clone()
        expected[:, [0, 2]] = 64 - target['boxes'][:, [2, 0]]
        assert torch.equal(moved['boxes'], expected)
        assert type(moved['boxes']) is type(other) is torch.Tensor
    assert 8 <= turned <= 22


def test_objects_that_fall_out_are_dropped():
    data = DigitCanvases('train', train_transforms=[CROP])
    sizes = set()
    for key in range(20):
        image, target = data[5, key]
        assert image.shape[1:] == (40, 40) and len(target['boxes']) == len(target['labels']) == len(target['masks'])
        sizes.add(len(target['labels']))
        width, height = (target['boxes'][:, 2:] - target['boxes'][:, :2]).unbind(1)
        assert (width >= 1).all() and (height >= 1).all() and (target['boxes'] <= 40).all()
    assert len(sizes) > 1


def test_wrong_transforms_are_named():
    with pytest.raises(UserError, match="has no transform 'RandomFlip'"):
        DigitCanvases(train_transforms=[dict(FLIP, name='RandomFlip')])
    with pytest.raises(UserError, match='RandomHorizontalFlip of torchvision does not take'):
        DigitCanvases(train_transforms=[dict(FLIP, arguments=dict(q=1))])
    with pytest.raises(UserError, match="'train' or 'test', not 'val'"):
        DigitCanvases('val')


@pytest.mark.parametrize('workers', [0, 2])
def test_batches_are_the_same_with_and_without_workers(workers):
    data = DigitCanvases('train', train_transforms=[FLIP], masks=False)
    loader = build_loader(dict(batch_size=100, dataset=data, num_workers=workers), seed=3, training=True)
    loader.set_position(2)
    batches = list(loader)
    assert [len(batch.images) for batch in batches] == [100, 100, 100, 100, 80]
    assert sorted(torch.cat([batch.indices for batch in batches]).tolist()) == list(range(480))
    batch = batches[1]
    for place in (0, 50):
        image, target = data[int(batch.indices[place]), (3 << 64) + int(batch.keys[place])]
        assert torch.equal(batch.images[place], image) and torch.equal(batch.targets[place]['boxes'], target['boxes'])
