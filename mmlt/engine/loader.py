"""Batches of tensors: from one resident uint8 tensor, or from DataLoader workers."""

from collections.abc import Iterator
from functools import cached_property
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from mmengine.device import get_device
from mmengine.dist import get_dist_info

from mmlt.batch import Batch
from mmlt.datasets.class_subset import ClassSubset, class_places
from mmlt.datasets.mmpretrain_dataset import build_dataset
from mmlt.engine.streams import Stream, seeded
from mmlt.errors import UserError
from mmlt.registry import DATA_SAMPLERS

EPOCH_KEYS = 2**32  # the key of a draw: epoch * EPOCH_KEYS + place in the epoch's global order
PARTNER_KEY = 2**31  # added to an image's key it is its partner's

_resident: WeakKeyDictionary = WeakKeyDictionary()


def resident_tensors(dataset) -> tuple[torch.Tensor, torch.Tensor]:  # noqa: ANN001
    """Images uint8 (N, C, H, W) and labels int64 (N,) of a resident data set on the training device.

    There is one copy, whatever loaders ask for it (a teacher's and its student's); the data set releases its own pixels.
    """
    held = _resident.get(dataset)
    if held is None:
        held = _resident[dataset] = tuple(part.to(get_device()) for part in dataset.tensors())
        if hasattr(dataset, 'release'):
            dataset.release()
    return held


class BatchLoader:
    """Hand out the batches of an epoch, the same whatever ran before.

    In an epoch's global order (the sampler's), step `s` takes places `s * B * W` to `(s + 1) * B * W - 1` of `W` ranks
    with `B` images each, rank `r` every `W`-th of them. So one process with batch `W * B` sees the same images in the
    same steps, each augmented by the same draw. The last step of an epoch may be short; when it cannot be split evenly,
    it is filled up from the beginning of the order (training) so that every rank takes part. Where one update takes several
    steps (`accumulation`), they share its images as ranks do, so `A` steps of one process see what `A` ranks see in one.

    Args:
        dataset: a data set with `resident`, `labels`, `metainfo`.
        sampler: a sampler with `epoch_indices(epoch)`.
        batch_size: images a rank and step.
        num_workers: DataLoader workers of a streaming data set.
        drop_last: leave out an epoch's last short step.
        partner_sampler: gives every image a partner, the image at the same place of this sampler's order.
        lasting: workers live on from epoch to epoch, until `close`; else they are made anew.
        accumulation: steps that share the images of an update; an epoch has whole updates.
    """

    def __init__(
        self,
        dataset,  # noqa: ANN001
        sampler,  # noqa: ANN001
        batch_size: int,
        num_workers: int = 0,
        drop_last: bool = False,
        partner_sampler=None,  # noqa: ANN001
        lasting: bool = False,
        accumulation: int = 1,
    ) -> None:
        if partner_sampler is not None and hasattr(dataset, 'batch'):
            raise UserError(f'{type(dataset).__name__} gives images without partners: leave out partner_sampler.')
        self.dataset = dataset
        self.sampler = sampler
        self.batch_size = batch_size
        self.num_workers = num_workers
        self.drop_last = drop_last
        self.partner_sampler = partner_sampler
        self.lasting = lasting
        self.accumulation = accumulation
        self.rank, self.world_size = get_dist_info()
        self._stream: Stream | None = None
        self.epoch = 0
        self.first_step = 0

    def set_position(self, epoch: int, first_step: int = 0) -> None:
        """Let the next iteration give epoch `epoch` (from 0), beginning with its step `first_step`."""
        self.epoch, self.first_step = epoch, first_step

    def __len__(self) -> int:
        """Steps of an epoch."""
        images, update = self.sampler.num_samples, self.batch_size * self.shares
        return (images // update if self.drop_last else -(-images // update)) * self.accumulation

    @property
    def images(self) -> int:
        """Images of an epoch over all ranks: the sampler's draws, without those that a short last step is filled up with."""
        update = self.batch_size * self.shares
        return self.sampler.num_samples // update * update if self.drop_last else self.sampler.num_samples

    def images_in(self, steps: int) -> int:
        """Images of the first so many steps of training, over all ranks."""
        epochs, more = divmod(steps, len(self))
        return epochs * self.images + min(more * self.batch_size * self.world_size, self.images)

    @property
    def shares(self) -> int:
        """Into how many batches the images of an update are divided: ranks times steps."""
        return self.world_size * self.accumulation

    def steps(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """This rank's share of each step: indices into the data set and keys, both int64 (B,) on the CPU; with partners
        (2 B,), theirs behind the images'."""
        order = self.sampler.epoch_indices(self.epoch)
        partners = self.partner_sampler.epoch_indices(self.epoch) if self.partner_sampler else None
        images = self.batch_size * self.shares
        for step in range(self.first_step, len(self)):
            update, turn = divmod(step, self.accumulation)
            places = torch.arange(update * images, min((update + 1) * images, len(order)))
            if uneven := len(places) % self.shares:
                places = torch.cat([places, torch.arange(self.shares - uneven)])
            places = places[turn * self.world_size + self.rank :: self.shares]
            indices, keys = order[places], self.epoch * EPOCH_KEYS + places
            if partners is not None:
                indices, keys = torch.cat([indices, partners[places]]), torch.cat([keys, keys + PARTNER_KEY])
            yield indices, keys

    def __iter__(self) -> Iterator[Batch]:
        if self.dataset.resident:
            yield from self._resident_batches()
        else:
            yield from self._streamed_batches()
        self.first_step = 0

    def _paired(self, batch: Batch) -> Batch:
        """The batch whose second half are the partners of its first, if there are partners."""
        if self.partner_sampler is None:
            return batch
        own, partners = (Batch(*halves) for halves in zip(*(part.chunk(2) for part in batch[:4]), strict=True))
        return own._replace(partners=partners)

    def _batch(self, items: Any, indices: torch.Tensor, keys: torch.Tensor) -> Any:
        """The batch of collated items; a data set whose items are no images with labels makes its own."""
        if hasattr(self.dataset, 'batch'):
            return self.dataset.batch(items, indices, keys)
        images, labels = items
        return self._paired(Batch(images, torch.as_tensor(labels), indices, keys))

    def _resident_batches(self) -> Iterator[Batch]:
        images, labels = resident_tensors(self.dataset)
        for indices, keys in self.steps():
            indices, keys = indices.to(images.device, non_blocking=True), keys.to(images.device, non_blocking=True)
            yield self._paired(Batch(images[indices], labels[indices], indices, keys))

    def _streamed_batches(self) -> Iterator[Batch]:
        stream = self._stream
        if stream is None:
            most = self.batch_size * (1 if self.partner_sampler is None else 2)
            stream = Stream(self.dataset, self.num_workers, most, self.lasting)
            self._stream = stream if self.lasting else None
        seed = getattr(self.sampler, 'seed', 0)
        steps = ((indices, keys, seeded(keys, seed)) for indices, keys in self.steps())
        try:
            for items, indices, keys in stream.read(steps):
                if stream.arrays:
                    items = items, self._labels[indices]
                yield self._batch(items, indices, keys)
        except Exception:
            self.close()
            raise

    @cached_property
    def _labels(self) -> torch.Tensor:
        """(N,) int64, or float32 (N, C) of images with several."""
        return torch.from_numpy(np.asarray(self.dataset.labels))

    def close(self) -> None:
        """Let the workers go; the next epoch makes new ones."""
        self._stream = None


def build_loader(cfg: BatchLoader | dict, seed: int = 0, training: bool = False) -> BatchLoader:
    """Build a `BatchLoader` from a config of `batch_size`, `dataset`, and what else the loader takes, or does without.

    Args:
        cfg: the config, or a loader, which is given back. `classes` are those of the set to keep, see `class_places`.
        seed: of the sampler.
        training: shuffle where the config names no sampler, and keep the workers from epoch to epoch.
    """
    if isinstance(cfg, BatchLoader):
        return cfg
    cfg = dict(cfg)
    dataset = cfg['dataset']
    if isinstance(dataset, dict):
        dataset = build_dataset(dataset)
    if wanted := cfg.get('classes'):
        info = dataset.metainfo
        dataset = ClassSubset(dataset, class_places(wanted, info['classes'], info['class_counts']))
    sampler = cfg.get('sampler') or dict(type='ShuffleSampler' if training else 'SequentialSampler')
    sampler = DATA_SAMPLERS.build(sampler, default_args=dict(dataset=dataset, seed=seed))
    partner_sampler = cfg.get('partner_sampler')
    if partner_sampler:
        # A seed of its own: the partners must not follow the images' own draws.
        own_seed = int(np.random.SeedSequence((seed, 1)).generate_state(1)[0])
        defaults = dict(dataset=dataset, seed=own_seed, num_samples=sampler.num_samples)
        partner_sampler = DATA_SAMPLERS.build(partner_sampler, default_args=defaults)
    accumulation = 1
    if cfg.get('global_batch_size'):
        accumulation = cfg['global_batch_size'] // (cfg['batch_size'] * get_dist_info()[1])
    return BatchLoader(
        dataset,
        sampler,
        cfg['batch_size'],
        cfg.get('num_workers', 0),
        cfg.get('drop_last', False),
        partner_sampler,
        lasting=training,
        accumulation=accumulation,
    )
