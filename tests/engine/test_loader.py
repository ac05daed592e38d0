"""The order of batches: a function of seed, epoch and place, whatever the ranks, the worker and the start."""

import numpy as np
import pytest
import torch

from mmlt.datasets import Digits
from mmlt.engine.loader import EPOCH_KEYS, BatchLoader, build_loader
from mmlt.engine.loops import is_due


def loader(batch_size: int, rank: int = 0, world_size: int = 1) -> BatchLoader:
    made = build_loader(dict(dataset=Digits('train'), batch_size=batch_size), seed=3, training=True)
    made.rank, made.world_size = rank, world_size
    return made


def test_an_epoch_shows_every_image_once_with_its_own_label():
    made = loader(64)
    made.set_position(epoch=2)
    batches = list(made)
    indices = torch.cat([batch.indices for batch in batches])
    images, labels = made.dataset.tensors()
    assert len(made) == len(batches) == -(-len(made.dataset) // 64)
    assert sorted(indices.tolist()) == list(range(len(made.dataset)))
    assert torch.equal(torch.cat([batch.targets for batch in batches]), labels[indices])
    assert torch.equal(torch.cat([batch.images for batch in batches]), images[indices])
    assert torch.equal(torch.cat([batch.keys for batch in batches]), 2 * EPOCH_KEYS + torch.arange(len(indices)))


@pytest.mark.parametrize('world_size', [2, 3])
def test_ranks_share_each_step_of_one_process(world_size):
    whole = list(loader(48).steps())
    parts = [list(loader(48 // world_size, rank, world_size).steps()) for rank in range(world_size)]
    for step, (indices, keys) in enumerate(whole[:-1]):
        for rank, part in enumerate(parts):
            assert torch.equal(part[step][0], indices[rank::world_size])
            assert torch.equal(part[step][1], keys[rank::world_size])
    assert len({len(part[-1][0]) for part in parts}) == 1  # the last step is filled up, so that no rank waits


@pytest.mark.parametrize('world_size', [1, 3])
@pytest.mark.parametrize('accumulation', [1, 2])
@pytest.mark.parametrize(('drop_last', 'num_samples'), [(False, None), (False, 10), (True, 100), (False, 1000)])
def test_images_are_those_that_the_steps_of_all_ranks_see(world_size, accumulation, drop_last, num_samples):
    sampler = dict(type='ShuffleSampler', num_samples=num_samples)
    cfg = dict(dataset=Digits('train'), batch_size=8, sampler=sampler, drop_last=drop_last)
    ranks = [build_loader(cfg, seed=3, training=True) for _ in range(world_size)]
    for rank, made in enumerate(ranks):
        made.rank, made.world_size, made.accumulation = rank, world_size, accumulation
    seen = [torch.cat([keys for _, keys in step]) for step in zip(*(made.steps() for made in ranks), strict=True)]
    counts = [0] + [len(torch.cat(seen[: step + 1]).unique()) for step in range(len(seen))]
    made = ranks[0]
    assert made.images == counts[-1] and (drop_last or made.images == made.sampler.num_samples)
    whole = len(seen) - accumulation  # an epoch's last update may be short
    assert [made.images_in(step) for step in range(whole + 1)] == counts[: whole + 1]
    assert made.images_in(3 * len(made) + 1) == 3 * counts[-1] + made.images_in(1)


def test_a_later_start_gives_the_rest_of_the_epoch():
    made = loader(64)
    made.set_position(1)
    whole = [batch.keys for batch in made]
    made.set_position(1, first_step=5)
    rest = [batch.keys for batch in made]
    assert len(rest) == len(whole) - 5
    assert all(torch.equal(a, b) for a, b in zip(whole[5:], rest, strict=True))


class Streamed(Digits):
    resident = False


@pytest.mark.parametrize('num_workers', [0, 1])
def test_the_streaming_route_gives_the_same_batches(num_workers):
    resident = loader(200)
    cfg = dict(dataset=Streamed('train'), batch_size=200, num_workers=num_workers)
    streamed = build_loader(cfg, seed=3, training=True)
    for one, other in zip(resident, streamed, strict=True):
        assert one.partners is other.partners is None
        assert all(torch.equal(a, b) for a, b in zip(one[:4], other[:4], strict=True))


def test_what_is_drawn_while_reading_follows_the_runs_seed_and_the_place():
    class Keyed(Streamed):
        takes_keys = True

        def __getitem__(self, item):
            place, key = item
            drawn = np.random.default_rng([7, key]).integers(2**31)
            return torch.tensor([place, drawn]), int(self.labels[place])

    def drawn(seed: int, batch_size: int = 200, epoch: int = 0) -> list[list[int]]:
        sampler = dict(type='SequentialSampler', seed=seed)
        batches = build_loader(dict(dataset=Keyed('train'), batch_size=batch_size, sampler=sampler), training=True)
        batches.set_position(epoch)
        return [row for batch in batches for row in batch.images.tolist()]

    assert drawn(1) == drawn(1, batch_size=90)
    for other in (drawn(2), drawn(1, epoch=1)):
        assert [place for place, _ in other] == [place for place, _ in drawn(1)]
        assert all(one != two for (_, one), (_, two) in zip(other, drawn(1), strict=True))


def test_when_a_model_is_evaluated():
    assert [epoch for epoch in range(1, 31) if is_due(epoch, 30, 10, 0.1)] == [10, 20, 28, 29, 30]
    due = [epoch for epoch in range(1, 201) if is_due(epoch, 200, 10, 0.1)]
    assert due == list(range(10, 181, 10)) + list(range(181, 201))
