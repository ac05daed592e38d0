"""Batches of a streaming data set, read by worker processes that live through the epochs."""

import mmap
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, get_worker_info

from mmlt.errors import UserError

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
AHEAD = 2  # batches that a worker may be ahead of the run

Step = tuple[torch.Tensor, torch.Tensor, list[int]]  # places in the data set, keys of the draws, and these with the run's seed


def begin_worker(worker: int) -> None:
    """Let a worker live through a signal to the whole process group: the run still needs it to finish its step.

    A terminal, `timeout`, Slurm and torchrun signal like that. torch's own handler would end the worker, and the run with
    it, unsaved. A worker leaves when the run tells it to, by SIGTERM if need be, or when the run is no more.
    """
    cv2.setNumThreads(0)  # one process a core; and the threads of the run's own pool are not here
    if not hasattr(signal, 'sigwaitinfo'):  # macOS: torch's own handler stays
        return
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, {signal.SIGTERM})  # taken by the thread alone, which sees who sent it
    threading.Thread(target=_leave_with_the_run, daemon=True).start()


def _leave_with_the_run() -> None:
    while signal.sigwaitinfo({signal.SIGTERM}).si_pid != os.getppid():
        pass
    os._exit(0)


@contextmanager
def stop_signals_held() -> Iterator[None]:
    """Hold signals back while workers are forked: they inherit that, and none is ended before it ignores them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _Plan:
    """The steps of the epoch under way, handed to the workers as they ask, kept until their images come back."""

    def __init__(self) -> None:
        self.steps: Iterator[Step] = iter(())
        self.under_way: deque[Step] = deque()

    def begin(self, steps: Iterator[Step]) -> None:
        self.steps, self.under_way = steps, deque()

    def __iter__(self) -> Iterator[Any]:
        for step in self.steps:
            self.under_way.append(step)
            yield step[0].tolist(), step[2]


class _Items(Dataset):
    """What a worker does with a step where a data set gives its images one by one.

    Args:
        dataset: the data set.
        keyed: whether its items are pairs of place and key.
        collate: makes a batch of the items.
    """

    def __init__(self, dataset: Dataset, keyed: bool, collate: Any) -> None:
        self.dataset, self.keyed, self.collate = dataset, keyed, collate

    def __getitems__(self, step: tuple[list[int], list[int]]) -> Any:
        places, keys = step
        return self.collate([self.dataset[item] for item in (zip(places, keys, strict=True) if self.keyed else places)])


class _Arrays(Dataset):
    """What a worker does with a step where a data set writes its images into an array.

    Each worker has `AHEAD + 1` places for a batch in memory that it shares with the run, which copies a batch out before it
    asks for the next one: no image is pickled, and no memory made anew. Where workers are not forked a batch is sent.

    Args:
        dataset: has `item_shape` and `read_into`.
        workers: processes.
        most: images of a batch.
    """

    def __init__(self, dataset: Dataset, workers: int, most: int) -> None:
        self.dataset, self.turn, self.places = dataset, 0, None
        if workers and multiprocessing.get_start_method() == 'fork':
            shape = (workers, AHEAD + 1, most, *dataset.item_shape)
            # Of no file: /dev/shm, which a container keeps small, is not needed.
            self.places = np.frombuffer(mmap.mmap(-1, int(np.prod(shape))), dtype=np.uint8).reshape(shape)

    def __getitems__(self, step: tuple[list[int], list[int]]) -> torch.Tensor | tuple[int, int]:
        places, keys = step
        if self.places is None:
            out = np.empty((len(places), *self.dataset.item_shape), dtype=np.uint8)
            self.dataset.read_into(places, keys, out)
            return torch.from_numpy(out)
        worker, turn = get_worker_info().id, self.turn
        self.dataset.read_into(places, keys, self.places[worker, turn, : len(places)])
        self.turn = (turn + 1) % (AHEAD + 1)
        return worker, turn

    def images(self, answer: torch.Tensor | tuple[int, int], count: int) -> torch.Tensor:
        """The images (B, C, H, W), or views (B, V, C, H, W), channels last in memory, of a worker's answer."""
        images = answer if torch.is_tensor(answer) else torch.from_numpy(self.places[answer][:count])
        if not torch.is_tensor(answer) or torch.cuda.is_available():
            images = torch.empty(images.shape, dtype=torch.uint8, pin_memory=torch.cuda.is_available()).copy_(images)
        return images.movedim(-1, -3)


def _as_it_is(answer: Any) -> Any:
    return answer


class Stream:
    """The batches of a streaming data set.

    Args:
        dataset: with `item_shape` and `read_into(places, keys, out)`, see `StreamingDataset`, or with items one by one.
        workers: processes; 0 reads in this one.
        most: images of a batch.
        lasting: keep the workers from epoch to epoch, until `close`.
    """

    def __init__(self, dataset: Dataset, workers: int, most: int, lasting: bool) -> None:
        self.dataset, self.workers, self.plan = dataset, workers, _Plan()
        self.arrays = None
        collate = getattr(dataset, 'collate', None) or torch.utils.data.default_collate
        if getattr(dataset, 'item_shape', None):
            self.arrays = _Arrays(dataset, workers, most)
        self.loader = DataLoader(
            self.arrays or _Items(dataset, getattr(dataset, 'takes_keys', False), collate),
            batch_sampler=self.plan,
            num_workers=workers,
            collate_fn=_as_it_is,
            pin_memory=torch.cuda.is_available() and not self.arrays,
            worker_init_fn=begin_worker,
            prefetch_factor=AHEAD if workers else None,
            persistent_workers=lasting and workers > 0,
        )

    def read(self, steps: Iterator[Step]) -> Iterator[tuple[Any, torch.Tensor, torch.Tensor]]:
        """What is read of each step (images (B, C, H, W), several views of each (B, V, C, H, W), or a data set's own collated
        items), its places and keys.

        Raises:
            UserError: an image is missing or broken.
        """
        self.plan.begin(steps)
        try:
            with stop_signals_held():
                answers = iter(self.loader)
            for answer in answers:
                places, keys, _ = self.plan.under_way.popleft()
                yield (self.arrays.images(answer, len(places)) if self.arrays else answer), places, keys
        except UserError as error:  # a worker's comes wrapped in its stack trace
            raise UserError(str(error).strip().splitlines()[-1].removeprefix('mmlt.errors.UserError: ')) from error


def seeded(keys: torch.Tensor, seed: int) -> list[int]:
    """Keys for a data set, which may be shared by runs of several seeds: the run's seed above the 64 bits of a key."""
    above = seed << 64
    return [above + key for key in keys.tolist()]
