"""MMEngine's Runner with safe checkpoints, exact resume and a record of its evaluations."""

import sys
import time
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import barrier, get_world_size, is_main_process
from mmengine.logging import MMLogger
from mmengine.model import is_model_wrapper
from mmengine.optim import OptimWrapper

from mmlt.datasets.views import View
from mmlt.detection import FasterRCNN
from mmlt.engine.building import ClearRunner
from mmlt.engine.checkpoint import (
    label_facts,
    prune,
    read_elapsed,
    save_checkpoint,
    set_aside_newer,
    write_elapsed,
)
from mmlt.engine.compiled import CompiledForward, compile_options
from mmlt.engine.console import note, say
from mmlt.engine.fitting import by_current_names, misfit
from mmlt.engine.global_batch import images_an_update
from mmlt.engine.hook_state import HookStates
from mmlt.engine.mmengine_compat import is_asked_to_resume, loading_is_due, log_into_work_dir
from mmlt.engine.other_ranks import find_place, resume_schedules
from mmlt.engine.same_checkpoint import same_checkpoint
from mmlt.engine.selection import Selection, without_selection
from mmlt.engine.state import gather_own, on_cpu, restore_own
from mmlt.engine.stopping import StopRequest
from mmlt.engine.watch import LossWatch
from mmlt.errors import UserError, changed
from mmlt.models.weights import load_weights, read_weights
from mmlt.plain import plain
from mmlt.registry import RUNNERS


@RUNNERS.register_module()
class LongTailedRunner(ClearRunner):
    """The Runner of mmlt; built with `from_cfg` from a config that `mmlt.apis` prepared.

    Attributes:
        identity: what a checkpoint must agree with to be resumed: config hash, its components, teachers' SHA-256.
        history: one record `{epoch, metrics}` for each evaluation so far.
        selection: how the best of them is chosen; the checkpoint hook sets it.
        draw_seed: seed of the sampler, the augmentation and dropout.
        precision: `fp32` or `bf16`.
        compiled: the compiled forward pass; None in eager training.
        image_size: height and width of the images that the network is trained on, where known.
        test_view: how the images of its test set are cut from pictures, where known.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.watch = LossWatch()
        self.compiled: CompiledForward | None = None
        self.history: list[dict] = []
        self.selection = Selection()
        self.identity: dict = {}
        self.image_size: list[int] | None = None
        self.test_view: View | None = None
        self._stop = StopRequest()
        self._elapsed = 0.0
        self._started = time.perf_counter()
        super().__init__(*args, **kwargs)

    @property
    def draw_seed(self) -> int:
        """Seed of everything drawn while training."""
        return int(self.seed)

    @property
    def precision(self) -> str:
        """`fp32` or `bf16`."""
        return self.cfg.get('precision', 'fp32')

    def elapsed(self) -> float:
        """Seconds of this run, those before a resume included."""
        return self._elapsed + time.perf_counter() - self._started

    @property
    def bare_model(self) -> torch.nn.Module:
        """The model, without a distributed wrapper."""
        return self.model.module if is_model_wrapper(self.model) else self.model

    @property
    def evaluated_epochs(self) -> list[int]:
        """Epochs (from 1) whose evaluation is known."""
        return [record['epoch'] for record in self.history]

    def build_model(self, model: Any) -> Any:
        """See `Runner.build_model`; the memory format is set before wrapping, since DDP fixes the layout of gradients then."""
        model = super().build_model(model)
        return model.to(memory_format=getattr(model, 'memory_format', torch.contiguous_format))

    def build_logger(self, log_level: int | str = 'WARNING', log_file: str | None = None, **kwargs: Any) -> MMLogger:
        """MMEngine's logger without its folder a run: the run's own log is `train.log`. Where it is told to say more than
        warnings, it writes `mmengine.log` too."""
        log_into_work_dir(self)
        if log_level not in ('WARNING', 'ERROR', 'CRITICAL'):
            kwargs.update(log_file=str(Path(self.work_dir) / 'mmengine.log'), file_mode='a')
        return MMLogger.get_instance(self.experiment_name, logger_name='mmlt', log_level=log_level, **kwargs)

    def register_default_hooks(self, hooks: dict | None = None) -> None:
        """See `Runner.register_default_hooks`; the class counts reach the model whatever hooks a config names, and MMEngine's
        `timer` and `sampler_seed`, which nothing here needs, are left out unless it names them."""
        own = dict(class_counts=dict(type='ClassCountsHook'), runtime_info=dict(type='QuietRuntimeInfoHook'))
        own.update(timer=None, sampler_seed=None)
        super().register_default_hooks({**own, **(hooks or {})})

    def scale_lr(self, optim_wrapper: OptimWrapper, auto_scale_lr: dict | None = None) -> None:
        """See `Runner.scale_lr`: with `enable=True` the learning rate counts for `base_batch_size` images an update, and
        follows their number in proportion (Goyal et al., arXiv 1706.02677, section 2.1)."""
        if not auto_scale_lr or not auto_scale_lr.get('enable'):
            return
        counts = self.cfg.optim_wrapper.get('accumulative_counts', 1)
        images = images_an_update(self.train_loop.dataloader.batch_size, self.world_size, counts)
        ratio = images / auto_scale_lr['base_batch_size']
        before = sorted({group['lr'] for group in optim_wrapper.param_groups}, reverse=True)
        for group in optim_wrapper.param_groups:
            group['lr'] *= ratio
        rates = ', '.join(f'{rate:g} -> {rate * ratio:g}' for rate in before[:3])
        say(f'  learning rate {rates}: {images} images an update, and it counts for {auto_scale_lr["base_batch_size"]}')

    def log_environment(self, env_cfg: dict) -> None:
        """The environment stands in results.json."""

    def get_hooks_info(self) -> str:
        """Not worth a page of output."""
        return ''

    def record_evaluation(self, epoch: int, metrics: dict[str, float]) -> None:
        """Keep an evaluation's metrics; keep the weights too where they are the best so far (see `selection`)."""
        self.history.append(dict(epoch=epoch, metrics=dict(metrics)))
        if self.selection.best(self.history) is self.history[-1]:
            self._save('best.pth', epoch, 0, weights_only=True)

    def _class_folders(self) -> dict[str, list]:
        """What a list's numbers mean, where its paths tell: a test set of another numbering is known by it."""
        folders = getattr(self.train_loop.dataloader.dataset, 'class_folders', None)
        return dict(class_folders=folders) if any(folders or ()) else {}

    def content(self, epoch: int, step: int, weights_only: bool = False, own: dict | None = None) -> dict:
        """What a checkpoint holds after `epoch` whole epochs and `step` steps, in CPU memory.

        Args:
            epoch: epochs done.
            step: steps done in the next epoch.
            weights_only: leave out what only resuming needs.
            own: what each rank has of its own, see `gather_own`.
        """
        content = dict(
            state_dict=on_cpu(self.bare_model.state_dict()),
            meta=dict(
                epoch=epoch,
                step=step,
                steps_an_update=self.train_loop.dataloader.accumulation,
                seed=self.cfg.get('seed'),
                classes=list(self.train_loop.dataloader.dataset.metainfo['classes']),
                class_counts=self.bare_model.class_counts.tolist(),
                model=plain(self.cfg.model.to_dict()),
                precision=self.precision,
                image_size=self.image_size,
                **({} if self.test_view is None else dict(test_view=self.test_view._asdict())),
                history=self.history,
                **self._class_folders(),
                **label_facts(self.bare_model, self.train_loop.dataloader.dataset),
                **self.identity,
            ),
        )
        if not weights_only:
            content['optimizer'] = self.optim_wrapper.state_dict()
            content['param_schedulers'] = [
                {key: value for key, value in scheduler.state_dict().items() if type(value) in (int, float)}
                for scheduler in self.param_schedulers or []
            ]
            content.update(own or {})
            if kept := self.bare_model.kept_state():
                content['terms'] = kept
        self.call_hook('before_save_checkpoint', checkpoint=content)
        return on_cpu(content)

    def save_run(self, epoch: int, step: int, keep: int = 2) -> None:
        """Write a resumable checkpoint, then delete older ones.

        Raises:
            UserError: after a loss, or with a weight, that is not finite: nothing is written then.
        """
        self.watch.fetch(len(self.train_loop.dataloader))
        between_updates = not self.optim_wrapper.should_update()
        own = gather_own(self.bare_model, gradients=between_updates, statistics=step > 0)
        own.update(self.hook_states.content(get_world_size()))
        if self.train_loop.stop_training:
            own['stop_training'] = True
        self._save(f'epoch_{epoch}.pth' if step == 0 else f'epoch_{epoch}_step_{step}.pth', epoch, step, own=own)
        if is_main_process():
            write_elapsed(self.work_dir, self.elapsed())
            prune(self.work_dir, keep)
        barrier()

    def _save(self, name: str, epoch: int, step: int, **how: Any) -> None:
        """Write `content` on rank 0, unless a tensor of it is NaN or infinite: a finite loss may leave such weights."""
        content = self.content(epoch, step, **how) if is_main_process() else {}
        wild = self.watch.not_finite(content)
        if self.agreed(wild is not None):
            where = f'epoch {epoch}' if step == 0 else f'epoch {epoch + 1}, step {step}'
            raise UserError(
                f'after {where}, {wild or "the state of the first process"} is NaN or infinite, though no loss was: lower '
                'the learning rate (optim_wrapper.optimizer.lr), clip the gradients (optim_wrapper.clip_grad) or train in '
                'fp32; no checkpoint was written of it.'
            )
        if is_main_process():
            save_checkpoint(Path(self.work_dir) / name, content)

    def load_or_resume(self) -> None:
        """Resume from the folder's newest readable checkpoint if asked; with none there, start afresh, or from `load_from`."""
        self.hook_states = HookStates(self.hooks, self.bare_model)
        self.watch.begin(self.bare_model.state_dict())
        if not loading_is_due(self):
            return
        if not is_asked_to_resume(self):
            return self._begin()
        found = same_checkpoint(self.work_dir, self._check)
        if is_main_process():
            set_aside_newer(self.work_dir, found[0] if found else None)
        if found is None:
            return self._begin()
        path, content = found
        meta = content['meta']
        if differs := self._other_run(content):
            raise UserError(
                f'cannot resume from {path}: {differs}; train into another --work-dir, or restore the config.'
            )
        if refusal := self.hook_states.refusal(content):
            raise UserError(f'cannot resume from {path}: {refusal}; train anew, into another --work-dir.')
        try:
            self._restore(path, content)
        except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
            raise UserError(
                f'cannot resume from {path}, which lacks what this run keeps ({type(error).__name__}: {error}): '
                'delete it to go on from an older one.'
            ) from error
        say(f'resumed after epoch {meta["epoch"]}' + (f', step {meta["step"]}' if meta['step'] else '') + f' from {path}')

    def _begin(self) -> None:
        """Begin a new run with the weights of `load_from`, where the config names a file."""
        source = self.cfg.get('load_from')
        if not source:
            return
        taken, left = self.bare_model.begin_with_file(read_weights(Path(source)), source)
        say(f'  load_from {source}: {len(taken)} tensors taken, {len(left)} not' + (f': {"; ".join(left[:4])}' if left else '')
            + (f'; and {len(left) - 4} more, which train.log names' if len(left) > 4 else ''))  # fmt: skip
        for line in left[4:]:
            note(f'    not taken: {line}')

    def begin_training(self) -> None:
        """From here on, what a hook changes is its state."""
        self.hook_states.begin()

    def _other_run(self, content: dict) -> str | None:
        """What shows that a checkpoint is of another run than this one, in words."""
        before, now = dict(content['meta']), plain(self.identity)
        for one in (before, now):
            if 'outcome' in one:
                one['outcome'] = without_selection(one['outcome'], content['meta'].get('history'))
                one.pop('config_hash', None)  # of the outcome
        differing = (key for key, value in now.items() if before.get(key) != value)
        return next((changed(before.get(key), now[key], key) for key in differing), None)

    def _check(self, path: Path, content: dict) -> None:
        """Refuse a checkpoint of this very run whose state does not fit it: a damaged one, for the one before it."""
        if self._other_run(content):
            return  # which ends the run
        content.update(by_current_names(self.bare_model, content))
        find_place(path, content, self.train_loop.dataloader.accumulation)
        if wrong := misfit(self, content):
            raise UserError(f'the checkpoint {path} does not fit this run ({wrong}).')

    def _restore(self, path: Path, content: dict) -> None:
        meta = content['meta']
        self.call_hook('after_load_checkpoint', checkpoint=content)
        load_weights(self.bare_model, content['state_dict'], path)
        self.bare_model.refresh_class_counts()
        if meta.get('other_ranks'):
            steps = len(self.train_loop.dataloader)
            resume_schedules(self.param_schedulers or [], self.optim_wrapper, content['optimizer'], meta, steps)
        else:
            self.optim_wrapper.load_state_dict(content['optimizer'])
            for scheduler, state in zip(self.param_schedulers or [], content['param_schedulers'], strict=True):
                scheduler.load_state_dict(state)
        restore_own(self.bare_model, content)
        self.bare_model.load_kept_state(content.get('terms', {}))
        if meta.get('thresholds'):
            self.bare_model.set_thresholds(meta['thresholds'])
        self.history, self._elapsed = list(meta['history']), read_elapsed(self.work_dir)
        self.train_loop.epoch, self.train_loop.step = meta['epoch'], meta['step']
        self.train_loop.stop_training = content.get('stop_training', False)
        self.hook_states.load(content)

    def compile_step(self, target: str) -> None:
        """In place of MMEngine's, which compiles the whole step: the forward pass and the losses alone."""
        options = compile_options(
            self.cfg.get('compile', 'auto'), self.max_iters, self.cfg.optim_wrapper.get('accumulative_counts', 1)
        )
        if options is None:
            return
        if isinstance(self.bare_model, FasterRCNN):
            say("  a detector's step is not compiled: its shapes change from image to image")
            return
        loader = self.train_loop.dataloader
        self.compiled = CompiledForward(
            self.bare_model, options, loader.batch_size
        )
        self.compiled.install()

    @property
    def route(self) -> dict:
        """How the training steps are computed: `compile` (None for eagerly, or `torch.compile`'s keywords) and
        `channels_last`."""
        options = self.compiled.options if self.compiled and self.compiled.works else None
        return dict(compile=options, channels_last=self.bare_model.memory_format is torch.channels_last)

    def train(self) -> torch.nn.Module:
        """Train; Ctrl-C and SIGTERM finish the step, save and leave."""
        with self._stop.listening():
            try:
                return super().train()
            finally:
                for hook in self.hooks:
                    if hasattr(hook, 'close'):
                        hook.close()

    def asked_to_stop(self) -> bool:
        """Whether a signal came, to this rank or to any other."""
        self._stop.number = self._largest(self._stop.number or 0) or None
        return self._stop.number is not None

    def agreed(self, wanted: bool) -> bool:
        """Whether `wanted` is true on any rank, so that all ranks take the same decision although their clocks differ."""
        return bool(self._largest(int(wanted)))

    def _largest(self, number: int) -> int:
        if not torch.distributed.is_initialized():
            return number
        numbers = torch.tensor([number], device=self.bare_model.class_counts.device)
        torch.distributed.all_reduce(numbers, torch.distributed.ReduceOp.MAX)
        return int(numbers)

    def stop_if_asked(self) -> None:
        """After a step inside an epoch: save and leave if a signal came (several ranks agree on it now and then)."""
        loop = self.train_loop
        alone = not torch.distributed.is_initialized()
        if loop.step < len(loop.dataloader) and (alone or loop.step % 16 == 0) and self.asked_to_stop():
            self.save_run(loop.epoch, loop.step)
            self.leave(f'epoch {loop.epoch + 1}, step {loop.step}')

    def leave(self, saved: str) -> None:
        """End the process with the signal's exit code."""
        say(f'saved {saved}; --resume goes on from there.')
        sys.exit(128 + self._stop.number)

    def leave_if_asked(self) -> None:
        """After the run's results are written: leave if a signal came too late to stop it."""
        if self.asked_to_stop():
            self.leave('the finished run')
