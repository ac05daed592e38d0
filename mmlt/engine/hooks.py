"""Hooks of a run: class counts to the model, progress, checkpoints."""

import json
import time
from contextlib import suppress
from pathlib import Path

from mmengine.device import get_device
from mmengine.dist import is_main_process, master_only
from mmengine.hooks import Hook, RuntimeInfoHook
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from mmlt.engine.console import console, note, on_terminal, say
from mmlt.errors import UserError
from mmlt.files import atomic_write
from mmlt.registry import HOOKS

SCALARS_FILE = 'scalars.jsonl'


@HOOKS.register_module()
class ClassCountsHook(Hook):
    """Hand the training set's class counts to the model before the run."""

    priority = 'VERY_HIGH'

    def before_run(self, runner) -> None:  # noqa: ANN001
        """The one place where counts enter the model."""
        runner.bare_model.set_class_counts(runner.train_loop.dataloader.dataset.metainfo['class_counts'])
        runner.bare_model.data_preprocessor.seed = runner.draw_seed


@HOOKS.register_module()
class QuietRuntimeInfoHook(RuntimeInfoHook):
    """MMEngine's run information without its fetch of every loss in every step."""

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:  # noqa: ANN001
        """Losses are fetched by `ProgressHook`, when they are shown."""


@HOOKS.register_module()
class ProgressHook(Hook):
    """A bar with ETA, loss and accuracy on a terminal; a plain line now and then elsewhere; every epoch in the log.

    Losses and learning rates also go to the runner's visualizer (TensorBoard and the like) and to `scalars.jsonl`.

    Args:
        interval: steps between two fetches of the losses.
        seconds: least time between two plain lines on a console that is no terminal.
    """

    priority = 'BELOW_NORMAL'

    def __init__(self, interval: int = 50, seconds: float = 10.0) -> None:
        if type(interval) is not int or interval < 1:
            raise UserError(f'ProgressHook takes an interval of at least 1 step, not {interval!r}.')
        self.interval = interval
        self.seconds = seconds
        self._bar: Progress | None = None
        self._task = None
        self._accuracy = ''
        self._loss = ''

    def before_train(self, runner) -> None:  # noqa: ANN001
        """Start the clock and, on a terminal, the bar; a resumed run writes its scalars on from where it stands."""
        if is_main_process():
            known = runner.epoch in runner.evaluated_epochs and not runner.train_loop.is_over  # else it is evaluated again
            cut_scalars(Path(runner.work_dir) / SCALARS_FILE, runner.iter, known)
        self._started = self._said = time.perf_counter()
        self._first_iter = self._since_iter = runner.iter
        self._since = self._started
        if on_terminal() and is_main_process():
            self._bar = Progress(
                TextColumn('{task.description}'), BarColumn(), TimeRemainingColumn(), console=console, transient=True
            )
            self._task = self._bar.add_task('', total=runner.max_iters, completed=runner.iter)
            self._bar.start()

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:  # noqa: ANN001
        """Move the bar; fetch and log the losses every `interval` steps."""
        if (runner.iter + 1) % self.interval == 0:
            self._log(runner, runner.iter + 1)

    def after_train_epoch(self, runner) -> None:  # noqa: ANN001
        """One line in the log for each epoch."""
        self._log(runner, runner.iter)
        now = time.perf_counter()
        text = f'{self._headline(runner, runner.epoch + 1)}  ETA {self._eta(runner)}'
        if self._bar is None and now - self._said > self.seconds:
            self._said = now
            say(text)
        else:
            note(text)

    def after_val_epoch(self, runner, metrics=None) -> None:  # noqa: ANN001
        """Show the accuracies of an evaluation."""
        shown = [
            f'{name.split("/")[1]} {value:.2f}'
            for name, value in metrics.items()
            if name.startswith('accuracy/') and name != 'accuracy/mean_class'
        ]
        self._accuracy = f'  {shown[0]}' if shown else ''
        note(f'epoch {runner.epoch}/{runner.max_epochs}  evaluated: {", ".join(shown)}')
        if self._bar is None and runner.train_loop.epoch == runner.max_epochs:
            say(f'epoch {runner.epoch}/{runner.max_epochs}  evaluated: {", ".join(shown)}')
        self._write(runner, metrics, runner.iter)

    def after_train(self, runner) -> None:  # noqa: ANN001
        """Take the bar away."""
        self.close()

    def close(self) -> None:
        """Take the bar away, also when a run ends early."""
        if self._bar:
            self._bar.stop()
            self._bar = None

    def _headline(self, runner, epoch: int) -> str:  # noqa: ANN001
        rate = runner.optim_wrapper.get_lr()['lr'][0]
        return f'epoch {epoch}/{runner.max_epochs}  lr {rate:.2g}{self._loss}{self._accuracy}  {self._rate:.0f} images/s'

    def _eta(self, runner) -> str:  # noqa: ANN001
        done = runner.iter + 1 - self._first_iter
        left = (runner.max_iters - runner.iter - 1) * (time.perf_counter() - self._started) / max(done, 1)
        return f'{int(left) // 3600}:{int(left) // 60 % 60:02}:{int(left) % 60:02}'

    def _log(self, runner, done: int) -> None:  # noqa: ANN001
        means = runner.watch.fetch(len(runner.train_loop.dataloader))
        now = time.perf_counter()
        images = (done - self._since_iter) * runner.train_loop.dataloader.batch_size
        if means and now > self._since:
            self._rate = images / (now - self._since)
            self._since, self._since_iter = now, done
            self._loss = f'  loss {means["loss"]:.3f}'
            self._write(runner, {**means, 'lr': runner.optim_wrapper.get_lr()['lr'][0]}, done)
        if self._bar:
            description = self._headline(runner, runner.epoch + 1)
            self._bar.update(self._task, completed=done, description=description)

    @master_only
    def _write(self, runner, scalars: dict[str, float], step: int) -> None:  # noqa: ANN001
        runner.visualizer.add_scalars(scalars, step=step)
        with open(Path(runner.work_dir) / SCALARS_FILE, 'a', encoding='utf-8') as file:
            file.write(json.dumps({'step': step, 'epoch': runner.epoch, **scalars}) + '\n')


def cut_scalars(path: Path, step: int, evaluated: bool) -> None:
    """Drop what a run wrote after the step from which it goes on, and a line that a kill left half-written.

    Args:
        path: of the file; nothing happens where there is none.
        step: steps done.
        evaluated: whether the evaluation at this step, if there is one, is known, and not made again.
    """
    if not path.is_file():
        return
    kept = []
    for line in path.read_text(encoding='utf-8', errors='replace').splitlines():
        with suppress(ValueError, KeyError, TypeError, RecursionError):
            scalars = json.loads(line)
            if scalars['step'] < step or (scalars['step'] == step and ('lr' in scalars or evaluated)):
                kept.append(line + '\n')
    atomic_write(path, ''.join(kept))


@HOOKS.register_module()
class CheckpointHook(Hook):
    """Save the run after an epoch, at most every few seconds, and always after the last one.

    Args:
        seconds: least time between two checkpoints.
        keep: resumable checkpoints to keep; two, so that there is one to fall back on.
    """

    priority = 'VERY_LOW'

    def __init__(self, seconds: float = 20.0, keep: int = 2) -> None:
        if not isinstance(seconds, (int, float)) or type(keep) is not int or keep < 1:
            raise UserError(f'CheckpointHook takes seconds and keep, a number from 1, not {seconds!r} and {keep!r}.')
        self.seconds = seconds
        self.keep = keep
        self._saved = 0.0

    def before_train(self, runner) -> None:  # noqa: ANN001
        """Start the clock."""
        self._saved = time.monotonic()

    def after_train_epoch(self, runner) -> None:  # noqa: ANN001
        """Save, with one more epoch done, what a resumed run needs."""
        last = runner.epoch + 1 == runner.max_epochs
        stop = runner.asked_to_stop() and not last
        if last or stop or runner.agreed(time.monotonic() - self._saved >= self.seconds):
            runner.save_run(runner.epoch + 1, 0, self.keep)
            self._saved = time.monotonic()
        if stop:
            runner.leave(f'epoch {runner.epoch + 1}')


def peak_memory_mb() -> float:
    """Peak memory of this process: allocated on the GPU where there is one, else resident; in MiB."""
    if get_device() == 'cuda':
        import torch

        return torch.cuda.max_memory_allocated() / 2**20
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
