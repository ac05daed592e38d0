"""Generated canvases: which classes stand on which, boxes that hold their masks, the same from the same seed."""

import numpy as np
import pytest

from mmlt.datasets.canvases import Sprites, draw_canvases, share_out
from mmlt.datasets.sprites import digit_counts, sign_counts, tinted_digits, traffic_signs
from mmlt.errors import UserError
from mmlt.priors import shot_groups

COUNTS = [12, 9, 4, 1]


@pytest.fixture(scope='module')
def squares() -> Sprites:
    """Opaque squares with a transparent rim, a grey value a class."""
    opacity = np.zeros((4, 6, 6), dtype=np.uint8)
    opacity[:, 1:5, 1:5] = 255
    pixels = np.broadcast_to(np.array([100, 150, 200, 250], dtype=np.uint8)[:, None, None, None], (4, 6, 6, 3))
    return Sprites(pixels, opacity, np.arange(4), tuple('abcd'))


def test_each_class_is_on_as_many_pictures_as_asked_for_and_once_on_each(squares):
    canvases = draw_canvases(squares, COUNTS, 12, objects=(2, 4), seed=3)
    assert canvases.images.shape == (12, 64, 64, 3) and canvases.images.dtype == np.uint8
    assert canvases.multi_hot.sum(axis=0).tolist() == COUNTS
    assert len(canvases.labels) == sum(COUNTS) and (np.diff(canvases.places) >= 0).all()
    filled = canvases.multi_hot.sum(axis=1)
    assert filled.min() >= 2 and filled.max() <= 4


def test_masks_lie_tight_in_their_boxes_and_on_the_pasted_pixels(squares):
    canvases = draw_canvases(squares, COUNTS, 12, scale=(1.0, 2.0), seed=4)
    grey = np.array([100, 150, 200, 250])
    for place, label, box, mask in zip(
        canvases.places, canvases.labels, canvases.boxes, canvases.masks, strict=True
    ):  # fmt: skip
        rows, columns = np.nonzero(mask)
        assert box.tolist() == [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        brightest = canvases.images[place][rows, columns].mean(axis=1).max()  # the squares are opaque but for their rims
        assert brightest == pytest.approx(grey[label], abs=1)
    for place in range(12):
        assert canvases.masks[canvases.places == place].sum(axis=0).max() == 1, 'a pixel belongs to one object'


def test_the_same_seed_gives_the_same_and_another_another(squares):
    one, same, other = (draw_canvases(squares, COUNTS, 12, seed=seed) for seed in (5, 5, 6))
    assert np.array_equal(one.images, same.images) and np.array_equal(one.masks, same.masks)
    assert not np.array_equal(one.images, other.images)


def test_the_global_random_state_is_neither_used_nor_touched(squares):
    np.random.seed(0)
    before = np.random.get_state()[1].copy()
    draw_canvases(squares, COUNTS, 12)
    assert np.array_equal(np.random.get_state()[1], before)


@pytest.mark.parametrize('counts', [[13, 9, 4, 1], [2, 2, 2, 2], [12, 12, 12, 13]])
def test_counts_that_cannot_be_shared_out_are_refused(squares, counts):
    with pytest.raises(UserError, match='cannot be shared out over 12 pictures of 2 to 4 objects'):
        draw_canvases(squares, counts, 12)


@pytest.mark.parametrize('seed', range(20))
def test_sharing_out_fills_pictures_evenly(seed):
    contents = share_out([8, 7, 6, 2, 1], 8, (3, 3), np.random.RandomState(seed))
    assert [len(content) for content in contents] == [3] * 8
    assert all(len(set(content)) == 3 for content in contents)


@pytest.mark.parametrize(
    ('counts', 'groups', 'ends'), [(digit_counts(), [7, 7, 6], (200, 3)), (sign_counts(), [5, 24, 14], (150, 3))]
)
def test_the_long_tails_have_all_three_groups_of_lvis(counts, groups, ends):
    found = shot_groups(counts, 'lvis')
    assert [len(found[name]) for name in ('many', 'medium', 'few')] == groups
    assert (max(counts), min(counts)) == ends


def test_traffic_signs_are_read_from_arrays_and_cut_out_round(tmp_path):
    labels = np.arange(86) % 43
    images = np.full((86, 32, 32, 3), 7, dtype=np.uint8)
    np.savez(tmp_path / 'train.npz', images=images, labels=labels)
    signs = traffic_signs('train', tmp_path)
    assert len(signs.classes) == 43 and np.array_equal(signs.labels, labels)
    assert (signs.opacity[:, [0, 0, -1, -1], [0, -1, 0, -1]] == 0).all() and (signs.opacity[:, 16, 16] == 255).all()
    assert (signs.opacity > 0).mean() == pytest.approx(np.pi / 4, abs=0.03)
    np.savez(tmp_path / 'test.npz', images=images[:40], labels=labels[:40])
    for split, words in (('test', 'labels of all 43 classes'), ('val', 'there are no traffic signs .*val.npz')):
        with pytest.raises(UserError, match=words):
            traffic_signs(split, tmp_path)


def test_tinted_digits_share_no_digit_between_the_splits():
    train, test = tinted_digits('train'), tinted_digits('test')
    assert train.classes == test.classes and train.classes[13] == 'cold 3'
    assert np.bincount(test.labels).tolist() == [50] * 20
    seen = {sprite.tobytes() for sprite in train.opacity}
    assert not any(sprite.tobytes() in seen for sprite in test.opacity)
