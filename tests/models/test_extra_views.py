"""Further views of an image: each its own transforms with its own draws, whatever the ranks."""

import pytest
import torch

from mmlt.batch import Batch
from mmlt.datasets.transforms.base import apply_transforms
from mmlt.draw import Draw
from mmlt.errors import UserError
from mmlt.models.preprocessor import VIEW_POSITION
from mmlt.registry import MODELS, TRANSFORMS

CROP, JITTER = dict(type='RandomCrop', padding=2), dict(type='ColorJitter', saturation=0.0, hue=0.0)


def build(*views, first=(CROP,)):
    made = MODELS.build(
        dict(type='BatchPreprocessor', mean=[0.5] * 3, std=[0.25] * 3, train_transforms=list(first), extra_views=list(views))
    )
    made.seed = 11
    return made


@pytest.fixture
def batch() -> Batch:
    """A dozen images of random pixels."""
    images = torch.randint(0, 256, (12, 3, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    place = torch.arange(12)
    return Batch(images, place % 4, place, 5 * 2**32 + place)


def test_the_first_view_is_what_it_was_without_others(batch):
    alone, both = build().augment(batch), build([CROP, JITTER], []).augment(batch)
    assert both.shape == (36, 3, 8, 8)
    assert torch.equal(both[:12], alone)
    assert torch.equal(both[24:], batch.images)  # a view without transforms
    assert torch.equal(build([CROP]).augment(batch, training=False), batch.images)  # evaluation has one


def test_each_view_is_its_transforms_with_draws_of_its_own(batch):
    views = build([CROP], [CROP], [CROP, JITTER]).augment(batch).chunk(4)
    for number, (view, configs) in enumerate(zip(views[1:], ([CROP], [CROP], [CROP, JITTER]), strict=True)):
        draw = Draw(11, batch.keys).at(VIEW_POSITION + number)
        assert torch.equal(view, apply_transforms(batch.images, [TRANSFORMS.build(cfg) for cfg in configs], draw))
    for one in range(4):
        for other in range(one):  # most of a dozen images lie elsewhere: 25 places
            assert (views[one] != views[other]).flatten(1).any(1).sum() >= 9


@pytest.mark.parametrize('world_size', [2, 3])
def test_ranks_see_the_views_of_one_process(batch, world_size):
    made = build([CROP, JITTER], [CROP])
    whole = made.augment(batch).chunk(3)
    for rank in range(world_size):
        part = made.augment(Batch(*(values[rank::world_size] for values in batch[:4]))).chunk(3)
        for one, view in zip(part, whole, strict=True):
            assert torch.equal(one, view[rank::world_size])


def test_all_views_are_normalised_and_labels_stay(batch):
    done = build([JITTER])(batch, training=True)
    assert done.images.shape == (2, 12, 3, 8, 8) and done.images.dtype == torch.float32
    expected = (build([JITTER]).augment(batch).float() / 255 - 0.5) / 0.25
    torch.testing.assert_close(done.images.flatten(0, 1), expected)
    assert torch.equal(done.targets, batch.targets) and torch.equal(done.keys, batch.keys)


def test_views_that_the_data_set_cut_meet_the_transforms_of_their_places(batch):
    pieces = torch.randint(0, 256, (12, 3, 8, 8, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    cut = batch._replace(images=pieces.movedim(-1, -3))  # (B, V, C, H, W), as they lie after workers filled them
    made = build([CROP], [CROP, JITTER])
    views = made.augment(cut).chunk(3)
    for number, view in enumerate(views):  # as if the other views did not exist
        alone = made.augment(batch._replace(images=cut.images[:, number].contiguous())).chunk(3)[number]
        assert torch.equal(view, alone)
    done = made(cut._replace(partners=cut), training=True)
    assert done.images.shape == done.partners.images.shape == (3, 12, 3, 8, 8)
    torch.testing.assert_close(done.images[2], (views[2].float() / 255 - 0.5) / 0.25)


def test_another_number_of_cut_views_is_refused(batch):
    cut = batch._replace(images=batch.images[:, None].expand(-1, 2, -1, -1, -1))
    with pytest.raises(UserError, match='cuts 2 views out of an image and model.data_preprocessor makes 1: give one pair of'):
        build()(cut, training=True)
    with pytest.raises(UserError, match='cuts 2 views out of an image and an evaluation takes 1'):
        build([CROP])(cut)
