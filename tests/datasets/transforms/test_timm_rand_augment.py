"""timm's RandAugment, image by image against Pillow, and what it draws."""

import math

import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance, ImageOps

from mmlt.datasets.transforms import Draw, TimmRandAugment, ops_affine
from mmlt.errors import UserError

FILL = (124, 116, 104)
NAMES = (
    'autocontrast', 'equalize', 'invert', 'posterize', 'solarize', 'solarize_add', 'color', 'contrast', 'brightness',
    'sharpness', 'rotate', 'shear_x', 'shear_y', 'translate_x', 'translate_y',
)  # fmt: skip


def moved(image: Image.Image, name: str, value: float, how: Image.Resampling) -> Image.Image:
    if name == 'rotate':
        return image.rotate(value, how, fillcolor=FILL)
    width, height = image.size
    matrix = {
        'shear_x': (1, value, 0, 0, 1, 0), 'shear_y': (1, 0, 0, value, 1, 0),
        'translate_x': (1, 0, value * width, 0, 1, 0), 'translate_y': (1, 0, 0, 0, 1, value * height),
    }[name]  # fmt: skip
    return image.transform(image.size, Image.Transform.AFFINE, matrix, how, fillcolor=FILL)


def in_pillow(image: Image.Image, name: str, level: float, negative: bool, how: Image.Resampling) -> Image.Image:
    """An operation at a level of 0 to 10 as timm's first release did it."""
    part = level / 10
    if name in ('autocontrast', 'equalize', 'invert'):
        return getattr(ImageOps, name)(image)
    if name == 'posterize':
        return ImageOps.posterize(image, int(part * 4))
    if name == 'solarize':
        return ImageOps.solarize(image, int(part * 256))
    if name == 'solarize_add':
        return image.point([min(255, value + int(part * 110)) if value < 128 else value for value in range(256)] * 3)
    if name in ('color', 'contrast', 'brightness', 'sharpness'):
        return getattr(ImageEnhance, name.capitalize())(image).enhance(part * 1.8 + 0.1)
    largest = {'rotate': 30, 'shear_x': 0.3, 'shear_y': 0.3, 'translate_x': 0.45, 'translate_y': 0.45}[name]
    return moved(image, name, part * largest * (-1 if negative else 1), how)


def alike(result: torch.Tensor, expected: Image.Image) -> None:
    """Equal but for the last digit of a sine or a cosine."""
    difference = np.abs(result.permute(1, 2, 0).numpy().astype(int) - np.asarray(expected))
    assert difference.max() <= 1 and (difference > 0).mean() < 0.01


@pytest.mark.parametrize('cubic', [False, True])
@pytest.mark.parametrize('name', NAMES[10:])
def test_moves_are_pillows(tiles, name, cubic):
    how = Image.Resampling.BICUBIC if cubic else Image.Resampling.BILINEAR
    values = torch.linspace(-1, 1, 12, dtype=torch.float64) * {'rotate': 30}.get(name, 0.45)
    images = torch.cat([tiles[:11:2, :, :, :29], tiles[1:12:2, :, :, :29]])  # not square
    result = getattr(ops_affine, name)(images, values, cubic, FILL)
    for image, value, mine in zip(images, values.tolist(), result, strict=True):
        alike(mine, moved(Image.fromarray(image.permute(1, 2, 0).numpy()), name, value, how))


def test_it_is_timms_image_by_image(images):
    transform, draw = TimmRandAugment(num_ops=3, magnitude=7, magnitude_std=1.5), Draw(3, torch.arange(len(images)) + 2**33)
    before = images.clone()
    result = transform(images, draw)
    assert torch.equal(images, before)
    chosen = draw.integers(0, 15, 3, stream=0).tolist()
    uniform = [draw.uniform(columns, stream).tolist() for columns, stream in ((6, 1), (3, 2), (3, 3), (3, 4))]
    seen = set()
    for place, image in enumerate(images):
        expected = Image.fromarray(image.permute(1, 2, 0).numpy())
        noise, signs, ways, chances = (column[place] for column in uniform)
        for step, operation in enumerate(chosen[place]):
            if chances[step] >= 0.5:
                continue
            normal = math.sqrt(-2 * math.log(1 - noise[step])) * math.cos(2 * math.pi * noise[3 + step])
            how = Image.Resampling.BICUBIC if ways[step] < 0.5 else Image.Resampling.BILINEAR
            level = min(10, max(0, 7 + 1.5 * normal))
            expected = in_pillow(expected, NAMES[operation], level, signs[step] < 0.5, how)
            seen.add(NAMES[operation])
        # A difference of one before an equalisation may be a larger one behind it.
        difference = np.abs(result[place].permute(1, 2, 0).numpy().astype(int) - np.asarray(expected))
        assert (difference > 1).mean() < 0.01
    assert seen == set(NAMES)


def test_what_is_drawn():
    transform = TimmRandAugment()
    kinds, magnitudes = transform.choose(Draw(1, torch.arange(60_000)), torch.device('cpu'))
    done = kinds < len(transform.functions) - 1
    assert abs(done.double().mean() - 0.5) < 0.01
    counts = torch.bincount(kinds[done], minlength=20).double() / done.sum()
    wanted = torch.tensor([1 / 15] * 10 + [1 / 30] * 10).double()  # each move by one of two interpolations
    assert torch.allclose(counts, wanted, atol=0.005)
    bright, bits = magnitudes[kinds == 8], magnitudes[kinds == 3]
    levels = (bright - 0.1) / 0.18  # a normal level of 10 and deviation 0.5, cut off at 10
    assert abs(levels.mean() - (10 - 0.5 / math.sqrt(2 * math.pi))) < 0.02 and abs((levels == 10).double().mean() - 0.5) < 0.03
    assert set(bits.tolist()) <= {2.0, 3.0, 4.0} and abs((bits == 4).double().mean() - 0.5) < 0.03
    turns = magnitudes[(kinds == 10) | (kinds == 15)]
    assert abs((turns < 0).double().mean() - 0.5) < 0.03 and turns.abs().max() <= 30
    steady = TimmRandAugment(magnitude=0, magnitude_std=0).choose(Draw(1, torch.arange(500)), torch.device('cpu'))
    assert (steady[1][steady[0] == 3] == 0).all() and (steady[1][steady[0] == 8] == 0.1).all()


def test_the_draws_of_an_image_are_its_own(tiles):
    transform, keys = TimmRandAugment(), torch.arange(104)
    whole = transform(tiles, Draw(5, keys))
    assert torch.equal(transform(tiles[1::3], Draw(5, keys[1::3])), whole[1::3])
    for wrong in (dict(num_ops=0), dict(magnitude=11), dict(magnitude_std=-1)):
        with pytest.raises(UserError, match='TimmRandAugment'):
            TimmRandAugment(**wrong)
