"""The scaling inside an exported model is Pillow's."""

import numpy as np
import pytest
import torch
from PIL import Image

from mmlt.datasets.transforms.resize import Resize
from mmlt.datasets.views import View
from mmlt.models.deployed import Deployed, scaled_as_opencv, scaled_as_pillow


@pytest.mark.parametrize('number', range(12))
def test_pictures_are_cut_and_scaled_as_pillow_does(number):
    draws = np.random.default_rng(number)
    for _ in range(10):
        size = int(draws.integers(2, 40))
        view = View(size, size, size + int(draws.integers(0, 20))) if number % 2 else View(size, int(draws.integers(2, 40)))
        height, width = sorted(draws.integers(3, 90, 2))
        pixels = draws.integers(0, 256, (height, width, 3), dtype=np.uint8)
        if number % 3 == 0:
            pixels = pixels // 128 * 255  # ties in rounding
        found = scaled_as_pillow(torch.from_numpy(pixels).permute(2, 0, 1)[None].double(), view)[0]
        wanted = view(Image.fromarray(pixels)).double()
        assert (found - wanted).abs().max() <= 1
        assert (found != wanted).double().mean() < 0.35  # another order of the two passes
        if view.resize:
            assert torch.equal(found, wanted)


@pytest.mark.parametrize('sides', [(40, 61), (100, 75), (33, 33), (300, 160), (20, 24)])
def test_pictures_are_scaled_as_opencv_does(sides):
    view = View(32, 32, 36, None, 'opencv')
    pixels = np.random.default_rng(0).integers(0, 256, (*sides, 3), dtype=np.uint8)
    found = scaled_as_opencv(torch.from_numpy(pixels).permute(2, 0, 1)[None].double(), view)[0]
    difference = (found - view(Image.fromarray(pixels)).double()).abs()
    assert difference.max() <= 1 and (difference > 0).double().mean() < 0.2  # OpenCV rounds its weights to 11 bits


def test_the_transform_resize_is_torchs():
    pixels = torch.randint(0, 256, (2, 3, 11, 17), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    for size in ((5, 30), (22, 8), (11, 17)):
        wanted = Resize(size)(pixels, None).float()
        found = Deployed._resized(pixels.float(), size)
        assert (found - wanted).abs().max() <= 1 and (found != wanted).float().mean() < 0.01
