"""Each operation at each level against Pillow, on real images."""

import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance, ImageFilter

from mmlt.datasets.transforms import ops_point
from mmlt.datasets.transforms.operations import NAMES, OPERATIONS, apply_chain
from mmlt.datasets.transforms.ops_geometry import rotate, translate_x
from mmlt.datasets.transforms.ops_hue import hsv_to_rgb, hue, rgb_to_hsv
from mmlt.errors import UserError

# The ranges of the published table, level by level.
LEVELS = {
    'shearX': np.linspace(0, 0.3, 10),
    'shearY': np.linspace(0, 0.3, 10),
    'translateX': np.linspace(0, 150 / 331, 10),
    'translateY': np.linspace(0, 150 / 331, 10),
    'rotate': np.linspace(0, 30, 10),
    'color': np.linspace(0, 0.9, 10),
    'contrast': np.linspace(0, 0.9, 10),
    'brightness': np.linspace(0, 0.9, 10),
    'sharpness': np.linspace(0, 0.9, 10),
    'posterize': np.round(np.linspace(8, 4, 10)),
    'solarize': np.linspace(256, 0, 10),
    'identity': np.zeros(10),
    'autocontrast': np.zeros(10),
    'equalize': np.zeros(10),
    'invert': np.zeros(10),
}
SIGNED = ('shearX', 'shearY', 'translateX', 'translateY', 'color', 'contrast', 'brightness', 'sharpness')
ENHANCERS = ('color', 'contrast', 'brightness', 'sharpness')


def pixels(images):
    """(B, C, H, W) as (B, H, W, C), the way Pillow has them."""
    return images.permute(0, 2, 3, 1).contiguous().numpy()


def equal_to_pillow(images, function, single):
    return np.array_equal(pixels(function(images)), np.stack([single(image) for image in pixels(images)]))


def test_table_names_every_operation():
    assert set(LEVELS) == set(NAMES)
    assert {name for name in NAMES if OPERATIONS[name].signed} == set(SIGNED)


@pytest.mark.parametrize('level', range(10))
@pytest.mark.parametrize('name', NAMES)
def test_level_equals_pillow_to_the_bit(images, in_pillow, name, level):
    images = images[level::12]
    operation, strength = OPERATIONS[name], LEVELS[name][level]
    for sign in (1, -1) if name in SIGNED else (1,):
        magnitude = (1 if name in ENHANCERS else 0) + sign * strength
        mine = operation.neutral + sign * operation.strength(level, 9)
        assert mine == pytest.approx(magnitude, abs=1e-12 if name != 'posterize' else 0.5)
        result = operation.apply(images, torch.full((len(images),), mine, dtype=torch.float64))
        expected = np.stack([in_pillow(image, name, magnitude) for image in pixels(images)])
        assert result.dtype == torch.uint8
        np.testing.assert_array_equal(pixels(result), expected)


@pytest.mark.parametrize('name', NAMES)
def test_every_image_has_its_own_magnitude(tiles, in_pillow, name):
    levels = (torch.arange(len(tiles)) % 10).tolist()
    magnitudes = torch.tensor(
        [OPERATIONS[name].neutral + OPERATIONS[name].strength(level, 9) for level in levels],
        dtype=torch.float64,
    )
    before = tiles.clone()
    result = pixels(OPERATIONS[name].apply(tiles, magnitudes))
    expected = [in_pillow(image, name, m) for image, m in zip(pixels(tiles), magnitudes.tolist(), strict=True)]
    np.testing.assert_array_equal(result, np.stack(expected))
    assert torch.equal(tiles, before)


@pytest.mark.parametrize('name', NAMES)
def test_other_shapes_equal_pillow(photographs, in_pillow, name):
    for height, width in ((33, 20), (1, 7), (2, 2), (5, 3)):
        images = photographs[:, :, 200 : 200 + height, 100 : 100 + width]
        for level in (4, 9):
            magnitude = OPERATIONS[name].neutral + OPERATIONS[name].strength(level, 9)
            result = OPERATIONS[name].apply(images, torch.full((2,), magnitude, dtype=torch.float64))
            expected = np.stack([in_pillow(image, name, magnitude) for image in pixels(images)])
            np.testing.assert_array_equal(pixels(result), expected)


@pytest.mark.parametrize('name', ['autocontrast', 'equalize', 'contrast', 'sharpness'])
def test_flat_and_narrow_histograms_equal_pillow(in_pillow, name):
    random = np.random.default_rng(0)
    # One colour; two levels; few levels, so that a step of the equalised histogram is 1; black with one white pixel.
    images = [np.full((32, 32, 3), 77), random.integers(0, 2, (32, 32, 3)) * 200 + 20, np.zeros((32, 32, 3))]
    images[2][3, 4] = 255
    images += [np.minimum(random.geometric(p, (32, 32, 3)), 255) for p in (0.5, 0.05)]
    crowded = np.full(1024, 255)
    crowded[:509] = random.integers(0, 250, 509)
    images.append(np.stack([crowded.reshape(32, 32)] * 3, axis=2))
    images = torch.from_numpy(np.stack(images).astype(np.uint8)).permute(0, 3, 1, 2)
    result = OPERATIONS[name].apply(images, torch.full((len(images),), 1.6, dtype=torch.float64))
    expected = np.stack([in_pillow(image, name, 1.6) for image in pixels(images)])
    np.testing.assert_array_equal(pixels(result), expected)


@pytest.mark.parametrize('factor', [0.0, 0.1, 0.55, 1.0, 1.3, 1.9, 3.7])
def test_brightness_of_every_value_equals_pillow(factor):
    ramp = np.arange(256, dtype=np.uint8).reshape(16, 16)
    expected = np.asarray(ImageEnhance.Brightness(Image.fromarray(ramp)).enhance(factor))
    result = ops_point.brightness(torch.from_numpy(ramp)[None, None], torch.tensor([factor], dtype=torch.float64))
    np.testing.assert_array_equal(result[0, 0].numpy(), expected)


def test_smooth_equals_pillow(images):
    assert equal_to_pillow(
        images, ops_point.smooth, lambda image: np.asarray(Image.fromarray(image).filter(ImageFilter.SMOOTH))
    )


def test_grey_equals_pillow(images):
    expected = np.stack([np.asarray(Image.fromarray(image).convert('L')) for image in pixels(images)])
    np.testing.assert_array_equal(ops_point.grey(images)[:, 0].numpy(), expected)


def test_grey_of_other_channels_is_refused():
    with pytest.raises(UserError, match='2 channels.*1.*3'):
        ops_point.grey(torch.zeros(1, 2, 4, 4, dtype=torch.uint8))


@pytest.mark.parametrize('name', NAMES)
def test_grey_images_go_through_every_operation(tiles, in_pillow, name):
    grey = ops_point.grey(tiles[:8])
    magnitude = OPERATIONS[name].neutral + OPERATIONS[name].strength(6, 9)
    result = OPERATIONS[name].apply(grey, torch.full((8,), magnitude, dtype=torch.float64))
    # Grey as RGB keeps three equal channels in Pillow.
    expected = [in_pillow(image, name, magnitude) for image in pixels(grey.expand(-1, 3, -1, -1))]
    np.testing.assert_array_equal(pixels(result.expand(-1, 3, -1, -1)), np.stack(expected))


@pytest.mark.parametrize('angle', [0, 7.5, 15, -15, 45, 90, 180, -90, 123.4])
@pytest.mark.parametrize('fill', [0, 128])
def test_rotation_of_any_angle_equals_pillow(tiles, angle, fill):
    images = tiles[::5]
    assert equal_to_pillow(
        images,
        lambda batch: rotate(batch, torch.full((len(batch),), float(angle)), fill),
        lambda image: np.asarray(Image.fromarray(image).rotate(angle, fillcolor=(fill,) * 3)),
    )


def test_translation_beyond_the_image_is_all_fill(tiles):
    assert (translate_x(tiles, torch.full((len(tiles),), 1.5)) == 128).all()
    assert (translate_x(tiles, torch.full((len(tiles),), -1.5), fill=7) == 7).all()


def test_hsv_equals_pillow_on_a_grid_of_colours():
    values = np.arange(0, 256, 5)
    grid = np.stack(np.meshgrid(values, values, values, indexing='ij'), axis=-1).reshape(1, 52, -1, 3).astype(np.uint8)
    images = torch.from_numpy(grid).permute(0, 3, 1, 2)
    as_hsv = np.asarray(Image.fromarray(grid[0]).convert('HSV'))
    np.testing.assert_array_equal(pixels(rgb_to_hsv(images))[0], as_hsv)
    # The same numbers read as hue, saturation and value.
    planes = Image.merge('HSV', [Image.fromarray(np.ascontiguousarray(grid[0, ..., c])) for c in range(3)])
    np.testing.assert_array_equal(pixels(hsv_to_rgb(images))[0], np.asarray(planes.convert('RGB')))


@pytest.mark.parametrize('turn', [-0.5, -0.1, 0.0, 0.03, 0.1, 0.5])
def test_hue_equals_pillow(images, in_pillow, turn):
    images = images[::4]
    assert equal_to_pillow(
        images, lambda batch: hue(batch, torch.full((len(batch),), turn)), lambda image: in_pillow(image, 'hue', turn)
    )


def test_hue_leaves_grey_images_alone(tiles):
    grey = ops_point.grey(tiles)
    assert torch.equal(hue(grey, torch.full((len(grey),), 0.3)), grey)


def test_hue_makes_its_table_once(tiles, monkeypatch):
    # A tensor made of numbers in each step would be sent to the device, which waits.
    turn = torch.full((len(tiles),), 0.3)
    expected = hue(tiles, turn)
    monkeypatch.setattr(torch, 'tensor', None)
    assert torch.equal(hue(tiles, turn), expected)


def test_chain_goes_in_the_order_of_the_columns(tiles, in_pillow):
    generator = torch.Generator().manual_seed(0)
    kinds = torch.randint(len(NAMES), (len(tiles), 3), generator=generator)
    middle = torch.tensor([o.neutral + o.strength(5, 9) for o in OPERATIONS.values()], dtype=torch.float64)
    functions = [operation.apply for operation in OPERATIONS.values()]
    before = tiles.clone()
    result = pixels(apply_chain(tiles, functions, kinds, middle[kinds]))
    assert torch.equal(tiles, before)
    for image, chain, mine in zip(pixels(tiles), kinds.tolist(), result, strict=True):
        for kind in chain:
            image = in_pillow(image, NAMES[kind], float(middle[kind]))
        np.testing.assert_array_equal(mine, image)
