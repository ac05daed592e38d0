"""mmlt's legs: the Runner as `tools/train.py` runs it, and a bare PyTorch loop over the same parts."""

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from mmengine.device import get_device
from mmengine.hooks import Hook

from mmlt.apis.train import build_runner
from mmlt.batch import Batch
from mmlt.engine.device import autocast
from mmlt.engine.hooks import peak_memory_mb
from mmlt.engine.mmengine_compat import wrap_forward
from mmlt.engine.runner import LongTailedRunner
from mmlt.engine.stages import Stage
from mmlt.registry import MODELS

ENDLESS = 100_000  # epochs; the leg ends when nobody asks for more


def wait_for_device() -> None:
    """Let the device finish what it was given."""
    if get_device() == 'cuda':
        torch.cuda.synchronize()


class CommandHook(Hook):
    """Hand control over before a step, and again after the steps that were asked for.

    Args:
        next_command: gives (steps of warm-up, steps to time), or None to end the run.
        report: takes the figures of a measurement.
    """

    priority = 'LOWEST'  # after every other hook of a step

    def __init__(self, next_command: Callable[[], tuple[int, int] | None], report: Callable[[dict], None]) -> None:
        self.next_command = next_command
        self.report = report
        self.busy = 0.0  # seconds in forward, backward and optimizer
        self._left = 0

    def before_train(self, runner) -> None:  # noqa: ANN001
        """Wait for the first command, and time the parts of a step from now on."""
        wrap_forward(runner.bare_model, self._timed)
        runner.optim_wrapper.update_params = self._timed(runner.optim_wrapper.update_params)
        self._obey()

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:  # noqa: ANN001
        """Count the step; report at the end of a measurement."""
        self._left -= 1
        if self._left == self._steps:
            wait_for_device()
            self.busy, self._images, self._start = 0.0, 0, time.perf_counter()
            return
        if self._left < self._steps:
            self._images += len(data_batch.targets)
        if self._left == 0:
            wait_for_device()
            seconds = time.perf_counter() - self._start
            # On a GPU these calls return before their work is done, and their time says nothing.
            outside = None if get_device() == 'cuda' else 1 - self.busy / seconds
            self.report(dict(seconds=seconds, images=self._images, outside=outside))
            self._obey()

    def _obey(self) -> None:
        command = self.next_command()
        if command is None:
            raise SystemExit(0)
        warmup, self._steps = command
        self._left = warmup + self._steps

    def _timed(self, function: Callable) -> Callable:
        def timed(*args: Any, **kwargs: Any) -> Any:
            start = time.perf_counter()
            result = function(*args, **kwargs)
            self.busy += time.perf_counter() - start
            return result

        return timed


class Prepared:
    """A config's runner, ready to train, any teacher attached with fresh weights (they cost what trained ones do).

    Args:
        config: the config.
        precision: `fp32` or `bf16`.
        overrides: config overrides.
        folder: folder of the run.
    """

    def __init__(self, config: str, precision: str, overrides: dict[str, Any], folder: str) -> None:
        torch.manual_seed(0)
        endless = {'train_cfg.max_epochs': ENDLESS, 'train_cfg.val_interval': ENDLESS, 'train_cfg.val_last': 0.0}
        stage = Stage(config, 0, {**overrides, **endless}, precision, work_dir=Path(folder))
        self.precision = stage.cfg.precision
        self.runner: LongTailedRunner = build_runner(stage)
        for role, needs in stage.prerequisites.items():
            self.runner.bare_model.attach(role, [MODELS.build(need.source.cfg.model) for need in needs])

    def peak_memory_mb(self) -> float:
        """Peak memory of this process."""
        return peak_memory_mb()


class RunnerLeg(Prepared):
    """Training through the Runner: real loop, every hook of the config, checkpoints and log included."""

    def serve(self, next_command: Callable[[], tuple[int, int] | None], report: Callable[[dict], None]) -> None:
        """Train until no command comes."""
        self.runner.register_hook(CommandHook(next_command, report), priority='LOWEST')
        with contextlib.suppress(SystemExit):
            self.runner.train()


class BareLeg(Prepared):
    """The same model, images, augmentation, precision, memory format and optimizer in the shortest loop there is."""

    def __init__(self, config: str, precision: str, overrides: dict[str, Any], folder: str) -> None:
        super().__init__(config, precision, overrides, folder)
        loader = self.runner.train_loop.dataloader
        self.model = self.runner.bare_model
        self.model.set_class_counts(loader.dataset.metainfo['class_counts'])
        self.model.set_epoch(0)
        options = {key: value for key, value in self.runner.cfg.optim_wrapper.optimizer.items() if key != 'type'}
        self.optimizer = torch.optim.SGD(self.model.parameters(), **options)
        self.images, self.labels = (part.to(get_device()) for part in loader.dataset.tensors())
        self.batch_size = loader.batch_size
        self._steps = self._forever()

    def _forever(self) -> Iterator[int]:
        """Train; each step gives its number of images."""
        pipeline, size = self.model.data_preprocessor, self.batch_size
        epoch = 0
        while True:
            order = torch.randperm(len(self.labels)).to(self.labels.device)
            self.model.train()
            for first in range(0, len(order), size):
                places = order[first : first + size]
                keys = torch.arange(first, first + len(places), device=places.device) + epoch * 2**32
                batch = Batch(self.images[places], self.labels[places], places, keys)
                with autocast(self.precision):
                    loss = sum(self.model(*pipeline(batch, training=True), mode='loss').values())
                loss.backward()
                self.optimizer.step()
                self.optimizer.zero_grad()
                yield len(places)
            epoch += 1

    def measure(self, warmup: int, steps: int) -> dict:
        """Seconds and images of `steps` steps after `warmup` untimed ones."""
        for _ in range(warmup):
            next(self._steps)
        wait_for_device()
        start = time.perf_counter()
        images = sum(next(self._steps) for _ in range(steps))
        wait_for_device()
        return dict(seconds=time.perf_counter() - start, images=images)
