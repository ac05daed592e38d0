"""Resize against Pillow, which scales with the same antialiased linear filter."""

import numpy as np
import pytest
import torch
from PIL import Image

from mmlt.datasets import Digits
from mmlt.draw import Draw
from mmlt.errors import UserError
from mmlt.registry import TRANSFORMS


@pytest.mark.parametrize('size', [(32, 32), (5, 5), (12, 7)])
def test_equals_pillow(size):
    images, _ = Digits('test').tensors()
    images = images[:20]
    before = images.clone()
    resized = TRANSFORMS.build(dict(type='Resize', size=size))(images, Draw(0, torch.arange(20)))
    assert resized.dtype == torch.uint8 and resized.shape == (20, 3, *size)
    assert torch.equal(images, before)
    for image, result in zip(images, resized, strict=True):
        picture = Image.fromarray(image.permute(1, 2, 0).numpy())
        expected = np.asarray(picture.resize(size[::-1], Image.Resampling.BILINEAR)).astype(int)
        # Pillow rounds between the two passes
        assert np.abs(result.permute(1, 2, 0).numpy().astype(int) - expected).max() <= 1


def test_one_number_is_a_square_and_the_same_size_changes_nothing():
    images, _ = Digits('test').tensors()
    draw = Draw(0, torch.arange(len(images)))
    assert torch.equal(TRANSFORMS.build(dict(type='Resize', size=8))(images, draw), images)


@pytest.mark.parametrize('size', [0, (8, -1), (8, 8, 8), 4.5, 'big'])
def test_impossible_sizes_say_so(size):
    with pytest.raises(UserError, match='Resize'):
        TRANSFORMS.build(dict(type='Resize', size=size))
