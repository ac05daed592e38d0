"""Batches of tensors: from one resident uint8 tensor, or from DataLoader workers."""

from collections.abc import Iterator

import torch
from mmengine.device import get_device
from mmengine.dist import get_dist_info
from torch.utils.data import DataLoader

from mmlt.datasets.batch import Batch

EPOCH_KEYS = 2**32  # the key of a draw: epoch * EPOCH_KEYS + place in the epoch's global order


class BatchLoader:
    """Hand out the batches of an epoch, the same whatever ran before.

    In an epoch's global order (the sampler's), step `s` takes places `s * B * W` to `(s + 1) * B * W - 1` of `W` ranks
    with `B` images each, rank `r` every `W`-th of them. So one process with batch `W * B` sees the same images in the
    same steps, each augmented by the same draw. The last step of an epoch may be short; when it cannot be split evenly,
    it is filled up from the beginning of the order (training) so that every rank takes part.

    Args:
        dataset: a data set with `resident`, `labels`, `metainfo`.
        sampler: a sampler with `epoch_indices(epoch)`.
        batch_size: images a rank and step.
        num_workers: DataLoader workers of a streaming data set.
        drop_last: leave out an epoch's last short step.
    """

    def __init__(
        self, dataset, sampler, batch_size: int, num_workers: int = 0, drop_last: bool = False  # noqa: ANN001
    ) -> None:
        self.dataset = dataset
        self.sampler = sampler
        self.batch_size = batch_size
        self.num_workers = num_workers
        self.drop_last = drop_last
        self.rank, self.world_size = get_dist_info()
        self.epoch = 0
        self.first_step = 0
        self._tensors: tuple[torch.Tensor, torch.Tensor] | None = None

    def set_position(self, epoch: int, first_step: int = 0) -> None:
        """Let the next iteration give epoch `epoch` (from 0), beginning with its step `first_step`."""
        self.epoch, self.first_step = epoch, first_step

    def __len__(self) -> int:
        """Steps of an epoch."""
        images, step = self.sampler.num_samples, self.batch_size * self.world_size
        return images // step if self.drop_last else -(-images // step)

    def steps(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """This rank's share of each step: indices into the data set and keys, both int64 (B,) on the CPU."""
        order = self.sampler.epoch_indices(self.epoch)
        step_size = self.batch_size * self.world_size
        for step in range(self.first_step, len(self)):
            places = torch.arange(step * step_size, min((step + 1) * step_size, len(order)))
            if uneven := len(places) % self.world_size:
                places = torch.cat([places, torch.arange(self.world_size - uneven)])
            places = places[self.rank :: self.world_size]
            yield order[places], self.epoch * EPOCH_KEYS + places

    def __iter__(self) -> Iterator[Batch]:
        if self.dataset.resident:
            yield from self._resident_batches()
        else:
            yield from self._streamed_batches()
        self.first_step = 0

    def _resident_batches(self) -> Iterator[Batch]:
        if self._tensors is None:
            self._tensors = tuple(part.to(get_device()) for part in self.dataset.tensors())
        images, labels = self._tensors
        for indices, keys in self.steps():
            indices, keys = indices.to(images.device, non_blocking=True), keys.to(images.device, non_blocking=True)
            yield Batch(images[indices], labels[indices], indices, keys)

    def _streamed_batches(self) -> Iterator[Batch]:
        steps = list(self.steps())
        loader = DataLoader(
            self.dataset,
            batch_sampler=[indices.tolist() for indices, _ in steps],
            num_workers=self.num_workers,
            pin_memory=torch.cuda.is_available(),
        )
        for (indices, keys), (images, labels) in zip(steps, loader, strict=True):
            yield Batch(images, torch.as_tensor(labels), indices, keys)
