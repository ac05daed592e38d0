"""The other transforms against slow loops over images, and what all transforms promise."""

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import ndimage, stats

from mmlt.datasets.transforms import (
    Cutout,
    Draw,
    GaussianBlur,
    RandomCrop,
    RandomFlip,
    RandomGrayscale,
    RandomResizedCrop,
    RandomRotation,
    apply_transforms,
)
from mmlt.errors import UserError
from mmlt.registry import TRANSFORMS

CONFIGS = [
    dict(type='RandomCrop', padding=4),
    dict(type='RandomFlip', probability=0.5),
    dict(type='Cutout', size=16),
    dict(type='AutoAugment', policy='cifar10'),
    dict(type='RandAugment', num_ops=2, magnitude=10),
    dict(type='ColorJitter', probability=0.8),
    dict(type='RandomGrayscale', probability=0.2),
    dict(type='GaussianBlur', sigma=(0.1, 2.0), probability=0.5),
    dict(type='RandomRotation', degrees=15),
    dict(type='RandomResizedCrop', size=24),
]


@pytest.fixture
def draw(tiles):
    return Draw(7, torch.arange(len(tiles)) + 3 * 2**32)


@pytest.mark.parametrize('config', CONFIGS, ids=lambda config: config['type'])
def test_result_does_not_depend_on_the_rest_of_the_batch(tiles, draw, config):
    transform = TRANSFORMS.build(config)
    assert type(transform).__module__.startswith('mmlt.')
    before, keys = tiles.clone(), torch.arange(len(tiles)) + 3 * 2**32
    whole = transform(tiles, draw.at(1))
    assert torch.equal(tiles, before)
    assert whole.dtype == torch.uint8 and whole.is_contiguous()
    assert not torch.equal(whole, tiles)
    order = torch.randperm(len(tiles), generator=torch.Generator().manual_seed(1))
    for part in (*order.split(37), order[:1]):
        assert torch.equal(transform(tiles[part], Draw(7, keys[part]).at(1)), whole[part])


@pytest.mark.parametrize('config', CONFIGS, ids=lambda config: config['type'])
def test_grey_and_oblong_images(photographs, config):
    transform = TRANSFORMS.build(config)
    images = photographs[:, :1, 100:140, 200:224]
    result = transform(images, Draw(0, torch.arange(2)))
    assert result.dtype == torch.uint8
    assert result.shape == ((2, 1, 24, 24) if config['type'] == 'RandomResizedCrop' else images.shape)


@pytest.mark.skipif(not torch.cuda.is_available(), reason='no GPU')
@pytest.mark.parametrize('config', CONFIGS, ids=lambda config: config['type'])
def test_gpu_gives_the_same_pixels(tiles, draw, config):
    transform = TRANSFORMS.build(config)
    there = transform(tiles.cuda(), Draw(7, (torch.arange(len(tiles)) + 3 * 2**32).cuda())).cpu()
    here = TRANSFORMS.build(config)(tiles, draw)
    # Its exponential, sine and cosine may differ in the last bit, which can move a value across a half.
    assert (there != here).double().mean() < 1e-4


def test_transforms_follow_each_other_with_draws_of_their_own(tiles, draw):
    crop, flip = RandomCrop(), RandomFlip()
    expected = flip(crop(flip(tiles, draw.at(0)), draw.at(1)), draw.at(2))
    assert torch.equal(apply_transforms(tiles, [flip, crop, flip], draw), expected)
    assert not torch.equal(flip(tiles, draw.at(0)), flip(tiles, draw.at(2)))
    assert torch.equal(apply_transforms(tiles, [], draw), tiles)


@pytest.mark.parametrize('padding, fill', [(4, 0), (2, 128), (0, 0)])
def test_crop_equals_a_loop(images, padding, fill):
    draw = Draw(0, torch.arange(len(images)))
    result = RandomCrop(padding, fill)(images, draw)
    places = draw.integers(0, 2 * padding + 1, 2, stream=0).tolist()
    for image, (top, left), mine in zip(images, places, result, strict=True):
        padded = np.pad(image.numpy(), ((0, 0), (padding, padding), (padding, padding)), constant_values=fill)
        np.testing.assert_array_equal(mine.numpy(), padded[:, top : top + 32, left : left + 32])


def test_crop_takes_every_window_equally_often():
    places = Draw(0, torch.arange(20_000)).integers(0, 9, 2, stream=0)
    assert stats.chisquare(torch.bincount(places[:, 0] * 9 + places[:, 1], minlength=81)).pvalue > 1e-3


@pytest.mark.parametrize('probability', [0.0, 0.3, 1.0])
def test_flip_equals_a_loop(images, probability):
    draw = Draw(0, torch.arange(len(images)))
    result = RandomFlip(probability)(images, draw)
    flipped = 0
    for image, chance, mine in zip(images, draw.uniform(1, stream=0)[:, 0].tolist(), result, strict=True):
        expected = Image.fromarray(image.permute(1, 2, 0).numpy())
        expected = expected.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if chance < probability else expected
        np.testing.assert_array_equal(mine.permute(1, 2, 0).numpy(), np.asarray(expected))
        flipped += chance < probability
    assert abs(flipped - probability * len(images)) <= 4 * np.sqrt(probability * (1 - probability) * len(images))


@pytest.mark.parametrize('size', [16, 7, 1, 80])
def test_cutout_equals_a_loop(tiles, draw, size):
    result = Cutout(size)(tiles, draw)
    rows, columns = draw.integers(0, 32, 1, stream=0)[:, 0].tolist(), draw.integers(0, 32, 1, stream=1)[:, 0].tolist()
    for image, row, column, mine in zip(tiles, rows, columns, result, strict=True):
        expected = image.clone()
        top, left = row - size // 2, column - size // 2
        expected[:, max(top, 0) : max(top + size, 0), max(left, 0) : max(left + size, 0)] = 0
        assert torch.equal(mine, expected)


def test_grayscale_equals_pillow(tiles, draw):
    result = RandomGrayscale(0.4)(tiles, draw)
    chances = draw.uniform(1, stream=0)[:, 0].tolist()
    assert 20 < sum(chance < 0.4 for chance in chances) < 60
    for image, chance, mine in zip(tiles, chances, result, strict=True):
        expected = Image.fromarray(image.permute(1, 2, 0).numpy())
        expected = expected.convert('L').convert('RGB') if chance < 0.4 else expected
        np.testing.assert_array_equal(mine.permute(1, 2, 0).numpy(), np.asarray(expected))


def test_rotation_equals_pillow(tiles, draw):
    result = RandomRotation(20)(tiles, draw)
    for image, chance, mine in zip(tiles, draw.uniform(1, stream=0)[:, 0].tolist(), result, strict=True):
        expected = Image.fromarray(image.permute(1, 2, 0).numpy()).rotate((chance * 2 - 1) * 20)
        np.testing.assert_array_equal(mine.permute(1, 2, 0).numpy(), np.asarray(expected))


def test_blur_equals_scipy(tiles, draw):
    result = GaussianBlur((0.3, 1.5), 0.6)(tiles, draw)
    chances, widths = draw.uniform(1, stream=0)[:, 0].tolist(), draw.uniform(1, stream=1)[:, 0].tolist()
    for image, chance, width, mine in zip(tiles, chances, widths, result, strict=True):
        if chance >= 0.6:
            assert torch.equal(mine, image)
            continue
        sigma = 0.3 + 1.2 * width
        smooth = ndimage.gaussian_filter(image.double().numpy(), sigma, mode='nearest', radius=5, axes=(1, 2))
        # Half a grey level is the rounding; the rest are the weights, multiples of 2 ** -22.
        assert np.abs(mine.numpy() - smooth).max() < 0.5 + 1e-3


@pytest.mark.parametrize('size', [16, 48])
def test_resized_crop_equals_pillow(photographs, size):
    images = photographs[:, :, 100:190, 200:320].repeat(20, 1, 1, 1)
    transform = RandomResizedCrop(size)
    draw = Draw(2, torch.arange(len(images)))
    result = transform(images, draw)
    boxes = torch.stack(transform.choose(draw, 90, 120), dim=1).tolist()
    for image, (top, left, height, width), mine in zip(images, boxes, result, strict=True):
        cut = Image.fromarray(image.permute(1, 2, 0).numpy()).crop((left, top, left + width, top + height))
        # In two steps, since Pillow begins with the side that costs less, and rounds in between.
        expected = cut.resize((size, height), Image.Resampling.BILINEAR).resize((size, size), Image.Resampling.BILINEAR)
        np.testing.assert_array_equal(mine.permute(1, 2, 0).numpy(), np.asarray(expected))
        at_once = np.asarray(cut.resize((size, size), Image.Resampling.BILINEAR)).astype(int)
        assert np.abs(mine.permute(1, 2, 0).numpy() - at_once).max() <= 1


def test_resized_crop_of_the_whole_image_is_the_image(tiles, draw):
    assert torch.equal(RandomResizedCrop(32, scale=(1, 1), ratio=(1, 1))(tiles, draw), tiles)


def test_resized_crop_draws():
    height, width = 300, 400
    draw = Draw(0, torch.arange(20_000))
    top, left, heights, widths = RandomResizedCrop(32, (0.08, 0.5)).choose(draw, height, width)
    assert (top >= 0).all() and (left >= 0).all() and (top + heights <= height).all() and (left + widths <= width).all()
    area = (heights * widths / (height * width)).numpy()
    ratio = np.log((widths / heights).double().numpy())
    # Half the image always fits in these shapes, so that the first draw is taken; a pixel is 1 % of a side at most.
    assert np.abs(np.sort(area) - np.linspace(0.08, 0.5, len(area))).max() < 0.02
    assert np.abs(np.sort(ratio) - np.linspace(*np.log([3 / 4, 4 / 3]), len(ratio))).max() < 0.02
    # The corner is uniform among the places there are.
    down, right = (top + 0.5) / (height - heights + 1), (left + 0.5) / (width - widths + 1)
    assert stats.kstest(down, 'uniform').pvalue > 1e-3 and stats.kstest(right, 'uniform').pvalue > 1e-3
    assert abs(np.corrcoef(down, right)[0, 1]) < 0.03


def test_resized_crop_falls_back_on_the_centre():
    # No rectangle of more than nine tenths of such a strip has an allowed shape.
    top, left, height, width = RandomResizedCrop(32, (0.9, 1)).choose(Draw(0, torch.arange(50)), 40, 400)
    assert (height == 40).all() and (width == 53).all() and (top == 0).all() and (left == 174).all()
    top, left, height, width = RandomResizedCrop(32, (0.9, 1)).choose(Draw(0, torch.arange(50)), 400, 40)
    assert (height == 53).all() and (width == 40).all() and (top == 174).all() and (left == 0).all()


@pytest.mark.parametrize(
    'config',
    [
        dict(type='RandomCrop', padding=-1),
        dict(type='RandomFlip', probability=2),
        dict(type='Cutout', size=0),
        dict(type='RandomGrayscale', probability=-0.1),
        dict(type='GaussianBlur', sigma=(2, 1)),
        dict(type='GaussianBlur', sigma=(0, 1)),
        dict(type='RandomRotation', degrees=-3),
        dict(type='RandomResizedCrop', size=0),
        dict(type='RandomResizedCrop', size=8, scale=(1, 0.5)),
        dict(type='RandomResizedCrop', size=8, ratio=(0, 1)),
        dict(type='RandomResizedCrop', size=8.5),
        dict(type='RandomResizedCrop', size=8, scale=(0.5, 2.0)),
        dict(type='RandomCrop', padding=2.5),
        dict(type='RandomCrop', fill=(124, 116, 104)),
        dict(type='RandomCrop', fill=300),
        dict(type='RandomRotation', fill=(0, 0, 0)),
        dict(type='RandomRotation', fill=-1),
        dict(type='Cutout', size=8.5),
    ],
    ids=str,
)
def test_wrong_settings_are_named(config):
    with pytest.raises(UserError, match='give|must be'):
        TRANSFORMS.build(config)
