"""CutMix against a slow box drawn with loops."""

import numpy as np
import pytest
import torch

from mmlt.models.mixing import CutMix
from mmlt.models.mixing.cutmix import covered


def slow_box(height: int, width: int, keep: float, centre: tuple[float, float]) -> np.ndarray:
    """Which pixels the partner covers, as the authors' code rounds: sides sqrt(1 - keep), half of each side, rounded down, to
    either side of the centre, clipped."""
    box = np.zeros((height, width), dtype=bool)
    for row in range(height):
        for column in range(width):
            inside = True
            for place, length, middle in ((row, height, centre[0]), (column, width, centre[1])):
                size = int(np.float32(np.sqrt(np.float32(1 - keep))) * np.float32(length))
                centre_place = int(middle * length)
                low, high = np.clip([centre_place - size // 2, centre_place + size // 2], 0, length)
                inside &= bool(low <= place < high)
            box[row, column] = inside
    return box


def test_the_box_and_its_area_are_those_of_a_loop_over_pixels(pair):
    mixed = CutMix()(**vars(pair))
    keep = pair.draw.uniform(1, stream=0).squeeze(1).numpy()
    centre = pair.draw.uniform(2, stream=2).numpy()
    areas = set()
    for row in range(len(keep)):
        box = slow_box(8, 8, keep[row], tuple(centre[row]))
        wanted = np.where(box, pair.partner_images[row].numpy(), pair.images[row].numpy())
        np.testing.assert_array_equal(mixed.images[row].numpy(), wanted)
        assert mixed.weight[row].item() == pytest.approx(1 - box.mean(), abs=1e-6)
        areas.add(int(box.sum()))
    assert len(areas) > 10 and 0 in areas, 'small and large boxes'


def test_sides_are_even_unless_the_border_cuts_them():
    shares = torch.arange(33) / 32
    got = covered(32, shares, torch.full((33,), 0.5)).sum(1).tolist()
    assert got == [size - size % 2 for size in range(33)]


def test_an_image_that_is_not_chosen_stays_whole(pair):
    mixed = CutMix(probability=0.0)(**vars(pair))
    assert torch.equal(mixed.images, pair.images) and bool((mixed.weight == 1).all())


def test_the_centre_may_lie_anywhere():
    share = torch.full((4,), 0.5)
    got = covered(8, share, torch.tensor([0.0, 0.25, 0.5, 0.99]))
    assert got.sum(1).tolist() == [2, 4, 4, 3]
    assert got[1].tolist() == [True] * 4 + [False] * 4
