"""How a run goes under MMEngine's own Runner: what mmlt's loops and hooks ask of a runner and that one does not have."""

import os
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import torch
from mmengine.dist import is_main_process
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

from mmlt.config.check import ELSEWHERE
from mmlt.config.find import config_name
from mmlt.config.load import FIRST_DROP, first_drop
from mmlt.engine.checkpoint import label_facts, prune, save_checkpoint
from mmlt.engine.device import resolve_precision
from mmlt.engine.finished import attach
from mmlt.engine.mmengine_compat import OpenRunner, is_asked_to_resume
from mmlt.engine.selection import Selection
from mmlt.engine.stages import Stage, needs_of
from mmlt.engine.state import on_cpu
from mmlt.engine.watch import LossWatch
from mmlt.errors import UserError
from mmlt.models.losses.reweighting import ClassReweighting
from mmlt.plain import plain

_courses: WeakKeyDictionary = WeakKeyDictionary()


def course_of(runner: Runner) -> Any:
    """What loops and hooks ask about the run: mmlt's runner itself, or a `PlainCourse` beside MMEngine's own."""
    if isinstance(runner, OpenRunner):
        return runner
    if runner not in _courses:
        _courses[runner] = PlainCourse(runner)
    return _courses[runner]


class PlainCourse:
    """The part of `LongTailedRunner` that training and evaluating need, beside a plain Runner.

    It keeps the losses, the evaluations, and checkpoints of the weights alone, which `tools/test.py` reads. What is missing:
    resuming, stopping at a signal, results.json, and training the prerequisites, which must be finished.

    Args:
        runner: MMEngine's Runner.

    Raises:
        UserError: the runner is asked to resume, or to compute activations again.
    """

    def __init__(self, runner: Runner) -> None:
        if is_asked_to_resume(runner):
            raise UserError(
                "MMEngine's Runner cannot resume a run of mmlt: train with `python tools/train.py CONFIG --resume`."
            )
        if runner.cfg.get('activation_checkpointing') is not None:
            raise UserError(f"mmlt does not read 'activation_checkpointing': {ELSEWHERE['activation_checkpointing']}.")
        self.runner = runner
        self.watch = LossWatch()
        self.history: list[dict] = []
        self.selection = Selection()
        self.precision, _ = resolve_precision(runner.cfg.get('precision', 'fp32'))
        wrapper = getattr(runner, 'optim_wrapper', None)
        if isinstance(wrapper, dict) and wrapper.get('type') == 'PrecisionOptimWrapper':  # not built yet
            wrapper.setdefault('precision', self.precision)

    @property
    def draw_seed(self) -> int:
        """Seed of everything drawn while training: the runner's (`randomness=dict(seed=0)`)."""
        return int(self.runner.seed)

    @property
    def bare_model(self) -> torch.nn.Module:
        """The model, without a distributed wrapper."""
        return self.runner.model.module if is_model_wrapper(self.runner.model) else self.runner.model

    @property
    def evaluated_epochs(self) -> list[int]:
        """Epochs (from 1) whose evaluation is known."""
        return [record['epoch'] for record in self.history]

    def complete_model(self) -> None:
        """Give the model what the whole config says of it: the epoch of the schedule's first drop, its finished runs.

        Raises:
            UserError: one of these is not trained yet.
        """
        cfg = self.runner.cfg
        for module in self.bare_model.modules():
            if isinstance(module, ClassReweighting) and module.start_epoch == FIRST_DROP:
                module.start_epoch = first_drop(cfg.get('param_scheduler'), 'start_epoch')
        path = Path(cfg.filename) if cfg.filename else Path('config.py')
        for role, needs in needs_of(cfg.get('prerequisites') or {}, path).items():
            found = []
            for need in needs:
                source = need.source
                if isinstance(source, Stage):
                    record = source.finished()
                    if record is None:
                        raise UserError(
                            f'{config_name(path)} needs a {role} that is not trained yet: train it by `python tools/train.py '
                            f'{os.path.relpath(source.path)}`, or name a checkpoint (prerequisites.{role}.checkpoint).'
                        )
                    source = Path(record['folder']) / record['checkpoint']['file']
                found.append((need, source))
            attach(self.bare_model, role, found, self.runner.train_loop.dataloader.dataset)

    def begin_training(self) -> None:
        """Nothing is kept of hooks."""

    def record_evaluation(self, epoch: int, metrics: dict[str, float]) -> None:
        """Keep an evaluation's metrics; keep the weights too where they are the best so far."""
        self.history.append(dict(epoch=epoch, metrics=dict(metrics)))
        if self.selection.best(self.history) is self.history[-1]:
            self._save('best.pth', epoch, 0)

    def save_run(self, epoch: int, step: int, keep: int = 2) -> None:
        """Write a checkpoint of the weights, then delete older ones; refuses after a loss that was not finite."""
        self.watch.fetch(len(self.runner.train_loop.dataloader))
        self._save(f'epoch_{epoch}.pth', epoch, step)
        if is_main_process():
            prune(self.runner.work_dir, keep)

    def _save(self, name: str, epoch: int, step: int) -> None:
        if not is_main_process():
            return
        cfg, model = self.runner.cfg, self.bare_model
        meta = dict(
            epoch=epoch,
            step=step,
            classes=list(self.runner.train_loop.dataloader.dataset.metainfo['classes']),
            class_counts=model.class_counts.tolist(),
            model=plain({'data_preprocessor': cfg.get('data_preprocessor'), **cfg.model}),
            precision=self.precision,
            history=self.history,
            **label_facts(model, self.runner.train_loop.dataloader.dataset),
        )
        save_checkpoint(Path(self.runner.work_dir) / name, dict(state_dict=on_cpu(model.state_dict()), meta=meta))

    def agreed(self, wish: bool) -> bool:
        """Whether any rank has this wish: clocks differ, and what all ranks do together all must decide alike."""
        if not torch.distributed.is_initialized():
            return wish
        wishes = torch.tensor([int(wish)], device=self.bare_model.class_counts.device)
        torch.distributed.all_reduce(wishes, torch.distributed.ReduceOp.MAX)
        return bool(wishes)

    def asked_to_stop(self) -> bool:
        """Signals are left to Python."""
        return False

    def stop_if_asked(self) -> None:
        """Signals are left to Python."""
