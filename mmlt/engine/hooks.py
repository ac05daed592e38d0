"""Hooks of a run: class counts to the model, progress, checkpoints."""

import json
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import mmengine.hooks
from mmengine.device import get_device
from mmengine.dist import is_distributed, is_main_process, master_only
from mmengine.hooks import Hook, RuntimeInfoHook
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from mmlt.arguments import number
from mmlt.datasets.samplers import Sampler
from mmlt.engine.console import console, note, on_terminal, say
from mmlt.engine.course import PlainCourse, course_of
from mmlt.engine.evaluation_pictures import draw_evaluation
from mmlt.engine.mmengine_compat import has_backends
from mmlt.engine.selection import Selection
from mmlt.errors import UserError
from mmlt.files import SCALARS_FILE, atomic_write
from mmlt.registry import HOOKS


@HOOKS.register_module()
class ClassCountsHook(Hook):
    """Hand the training set's class counts to the model before the run."""

    priority = 'VERY_HIGH'

    def before_run(self, runner) -> None:  # noqa: ANN001
        """The one place where counts enter the model; under MMEngine's own Runner the prerequisites too."""
        if runner.train_loop is None:
            return
        course = course_of(runner)
        metainfo = runner.train_loop.dataloader.dataset.metainfo
        course.bare_model.set_class_counts(metainfo['class_counts'])
        if 'num_images' in metainfo:  # images with several labels: the counts do not add up to it
            course.bare_model.set_num_images(metainfo['num_images'])
        loader = runner.train_loop.dataloader
        course.bare_model.set_length(len(loader), loader.batch_size * loader.world_size, runner.max_epochs)
        drawn = loader.sampler.notice() if isinstance(loader.sampler, Sampler) else None
        for line in [*course.bare_model.notices(), *([drawn] if drawn else [])]:
            say(f'  {line}')
        course.bare_model.data_preprocessor.seed = course.draw_seed
        if isinstance(course, PlainCourse):
            course.complete_model()

    def before_train(self, runner) -> None:  # noqa: ANN001
        """Ask whether a new run can begin with its weights."""
        model = course_of(runner).bare_model
        if not (runner.epoch or runner.iter) and (said := model.check_start()):
            say(f'  {said}')


@HOOKS.register_module()
class QuietRuntimeInfoHook(RuntimeInfoHook):
    """MMEngine's run information without its fetch of every loss in every step."""

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:  # noqa: ANN001
        """Losses are fetched by `ProgressHook`, when they are shown."""


@HOOKS.register_module()
class LoggerHook(mmengine.hooks.LoggerHook):
    """MMEngine's lines and scalars, without its fetch of every loss in every step.

    A loss is the mean over the steps since the line before, where MMEngine's own shows the last ten steps'.
    """

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:  # noqa: ANN001
        """See MMEngine's; the losses are fetched when a line is due."""
        loader = runner.train_dataloader
        last = self.end_of_epoch(loader, batch_idx) and (not self.ignore_last or len(loader) <= self.interval)
        if last or self.every_n_inner_iters(batch_idx, self.interval):
            for name, mean in course_of(runner).watch.fetch(len(loader)).items():
                runner.message_hub.log_scalars.pop(f'train/{name}', None)  # its mean is one of steps already
                runner.message_hub.update_scalar(f'train/{name}', mean)
        super().after_train_iter(runner, batch_idx, data_batch, outputs)


@HOOKS.register_module()
class ProgressHook(Hook):
    """A bar with ETA, loss and accuracy on a terminal; a plain line now and then elsewhere; every epoch in the log.

    Losses, learning rates and metrics also go to the runner's visualizer (TensorBoard and the like) and to `scalars.jsonl`; a
    visualizer with backends is given every figure of an evaluation, the confusion matrix and accuracy over class frequency
    as pictures.

    Args:
        interval: steps between two fetches of the losses.
        seconds: time to the first plain line on a console that is no terminal, and least time between two of them; they
            get rarer as the run goes on, one for each twentieth of the time so far.
    """

    priority = 'BELOW_NORMAL'

    def __init__(self, interval: int = 50, seconds: float = 10.0) -> None:
        if type(interval) is not int or interval < 1:
            raise UserError(f'ProgressHook takes an interval of at least 1 step, not {interval!r}.')
        self.interval = interval
        self.seconds = number('ProgressHook', 'seconds', seconds, least=0)
        self._bar: Progress | None = None
        self._task = None
        self._accuracy = ''
        self._loss = ''

    def before_train(self, runner) -> None:  # noqa: ANN001
        """Start the clock and, on a terminal, the bar; a resumed run writes its scalars on from where it stands."""
        if is_main_process():
            # An evaluation at the end of a run that is resumed there is made again.
            known = runner.epoch in course_of(runner).evaluated_epochs and not getattr(runner.train_loop, 'is_over', False)
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
        """Move the bar; fetch and log the losses every `interval` steps, and when a plain line is due."""
        # Ranks fetch together, and their clocks differ: several of them keep to the steps.
        due = self._bar is None and not is_distributed() and self._line_is_due()
        if due or (runner.iter + 1) % self.interval == 0:
            self._log(runner, runner.iter + 1)
        if due:
            self._say_line(runner)

    def after_train_epoch(self, runner) -> None:  # noqa: ANN001
        """One line in the log for each epoch."""
        self._log(runner, runner.iter)
        if self._bar is None and self._line_is_due():
            self._say_line(runner)
        else:
            note(self._line(runner))

    def _line_is_due(self) -> bool:
        now = time.perf_counter()
        return now - self._said > max(self.seconds, (now - self._started) / 20)

    def _say_line(self, runner) -> None:  # noqa: ANN001
        self._said = time.perf_counter()
        say(self._line(runner))

    def _line(self, runner) -> str:  # noqa: ANN001
        return f'{self._headline(runner, runner.epoch + 1)}  ETA {self._eta(runner)}'

    def after_val_epoch(self, runner, metrics=None) -> None:  # noqa: ANN001
        """Show the accuracies of an evaluation; on a terminal they stay above the bar."""
        shown = accuracies(metrics)
        self._accuracy = f'  {shown[0]}' if shown else ''
        (say if self._bar else note)(f'epoch {runner.epoch}/{runner.max_epochs}  evaluated: {", ".join(shown)}')
        self._write(runner, metrics, runner.iter)
        self._draw(runner, runner.val_loop, metrics)

    def after_test_epoch(self, runner, metrics=None) -> None:  # noqa: ANN001
        """Hand the figures of the test set, at the end of a run with a hold-out, to the visualizer under `test/`."""
        runner.visualizer.add_scalars({f'test/{name}': value for name, value in (metrics or {}).items()}, step=runner.iter)

    @master_only
    def _draw(self, runner, loop, metrics: dict[str, float]) -> None:  # noqa: ANN001
        if not has_backends(runner.visualizer) or not hasattr(loop, 'evaluation'):
            return
        if full := loop.evaluation():
            draw_evaluation(runner.visualizer, full.record(resamples=0), runner.iter, known=metrics)

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
        left = max(runner.max_iters - runner.iter - 1, 0) * (time.perf_counter() - self._started) / max(done, 1)
        return f'{int(left) // 3600}:{int(left) // 60 % 60:02}:{int(left) % 60:02}'

    def _log(self, runner, done: int) -> None:  # noqa: ANN001
        loader = runner.train_loop.dataloader
        means = course_of(runner).watch.fetch(len(loader))
        now = time.perf_counter()
        images = loader.images_in(done) - loader.images_in(self._since_iter)
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


def accuracies(metrics: Mapping[str, float]) -> list[str]:
    """Top-1 and the accuracy of each shot group in words; of several labels the mean average precisions, of a detector the
    average precisions of all, rare, common and frequent classes."""
    names = {f'accuracy/{name}': name for name in ('top1', 'many', 'medium', 'few')}
    names |= {'mAP': 'mAP', **{f'mAP/{name}': name for name in ('many', 'medium', 'few')}}
    names |= {f'{kind}/{name}': f'{kind} {name}' for kind in ('bbox', 'segm') for name in ('AP', 'APr', 'APc', 'APf')}
    return [f'{word} {metrics[name]:.2f}' for name, word in names.items() if name in metrics]


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
    """Save the run after an epoch, at most every few seconds or every few epochs, and always after the last one.

    Args:
        seconds: least time between two checkpoints.
        keep: resumable checkpoints to keep; two, so that there is one to fall back on.
        interval: epochs between two checkpoints, instead of `seconds`; MMEngine's name.
        max_keep_ckpts: MMEngine's name for `keep`, which it replaces; -1 keeps all.
        save_best: the metric by which the best epoch is chosen, see `Selection`: that epoch stands as `best` in results.json,
            its weights in `best.pth`.
        rule: `greater` or `less`, see `Selection`.

    Raises:
        UserError: a number out of its range, or no such rule.
    """

    priority = 'VERY_LOW'

    def __init__(
        self,
        seconds: float = 20.0,
        keep: int = 2,
        interval: int | None = None,
        max_keep_ckpts: int | None = None,
        save_best: str | None = None,
        rule: str | None = None,
    ) -> None:
        if not isinstance(seconds, (int, float)) or type(keep) is not int or keep < 1:
            raise UserError(f'CheckpointHook takes seconds and keep, a number from 1, not {seconds!r} and {keep!r}.')
        if interval is not None:
            number(self, 'interval', interval, least=1, whole=True)
        if max_keep_ckpts not in (None, -1):
            number(self, 'max_keep_ckpts', max_keep_ckpts, least=1, whole=True)
        self.seconds = seconds
        self.keep = {None: keep, -1: sys.maxsize}.get(max_keep_ckpts, max_keep_ckpts)
        self.interval = interval
        self.selection = Selection(save_best, rule)
        self._saved = 0.0

    def before_train(self, runner) -> None:  # noqa: ANN001
        """Start the clock."""
        self._saved = time.monotonic()
        course_of(runner).selection = self.selection

    def after_train_epoch(self, runner) -> None:  # noqa: ANN001
        """Save, with one more epoch done, what a resumed run needs."""
        course = course_of(runner)
        last = runner.epoch + 1 == runner.max_epochs
        stop = course.asked_to_stop() and not last
        if last or stop or self._is_due(runner):
            course.save_run(runner.epoch + 1, 0, self.keep)
            self._saved = time.monotonic()
        if stop:
            course.leave(f'epoch {runner.epoch + 1}')

    def _is_due(self, runner) -> bool:  # noqa: ANN001
        if self.interval is not None:
            return (runner.epoch + 1) % self.interval == 0
        return course_of(runner).agreed(time.monotonic() - self._saved >= self.seconds)


def peak_memory_mb() -> float:
    """Peak memory of this process: allocated on the GPU where there is one, else resident; in MiB."""
    if get_device() == 'cuda':
        import torch

        return torch.cuda.max_memory_allocated() / 2**20
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
