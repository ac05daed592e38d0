"""The training and evaluation loops."""

import math
import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from mmengine.dist import get_rank, get_world_size
from mmengine.hooks import EarlyStoppingHook
from mmengine.runner import BaseLoop

from mmlt.engine.console import say
from mmlt.engine.course import course_of
from mmlt.engine.device import autocast
from mmlt.engine.loader import BatchLoader, build_loader
from mmlt.engine.mmengine_compat import is_val_loop
from mmlt.engine.state import average_statistics
from mmlt.errors import UserError
from mmlt.evaluation.mmpretrain_metric import as_metrics
from mmlt.evaluation.multi_label_record import MultiLabelEvaluation
from mmlt.evaluation.record import SingleLabelEvaluation
from mmlt.registry import LOOPS


def is_due(epoch: int, max_epochs: int, interval: int, last: float) -> bool:
    """Whether the model is evaluated after `epoch` epochs: every `interval`, and each one of the last part `last`."""
    return epoch % interval == 0 or epoch > max_epochs - math.ceil(max_epochs * last) or epoch == max_epochs


@LOOPS.register_module()
class EpochTrainLoop(BaseLoop):
    """Train for a number of epochs; resumes at any step of any epoch.

    Args:
        runner: the runner.
        dataloader: config of the training loader.
        max_epochs: number of epochs.
        val_interval: epochs between two evaluations.
        val_last: part of the epochs, at the end, that is evaluated each time.
    """

    def __init__(
        self,
        runner,  # noqa: ANN001
        dataloader: BatchLoader | dict,
        max_epochs: int,
        val_interval: int = 10,
        val_last: float = 0.1,
    ) -> None:
        self.course = course_of(runner)
        super().__init__(runner, build_loader(dataloader, self.course.draw_seed, training=True))
        if not len(self.dataloader):
            raise UserError(
                f'an epoch has no step: drop_last leaves out all of the {self.dataloader.sampler.num_samples} images; '
                'lower train_dataloader.batch_size.'
            )
        if type(max_epochs) is not int or max_epochs < 1:
            raise UserError(f'train_cfg.max_epochs must be a whole number from 1, not {max_epochs!r}.')
        if type(val_interval) is not int or val_interval < 1:
            raise UserError(f'train_cfg.val_interval must be a whole number from 1, not {val_interval!r}.')
        if not isinstance(val_last, (int, float)) or not 0 <= val_last <= 1:
            raise UserError(f'train_cfg.val_last must be a part of the epochs, 0 to 1, not {val_last!r}.')
        self.max_epochs = max_epochs
        self.max_iters = max_epochs * len(self.dataloader)
        self.val_interval = val_interval
        self.val_last = val_last
        self.val_begin = 1
        self.epoch = 0
        self.step = 0  # steps done in this epoch
        self.stop_training = False  # MMEngine's EarlyStoppingHook sets it

    @property
    def iter(self) -> int:
        """Steps done since the beginning of training."""
        return self.epoch * len(self.dataloader) + self.step

    @property
    def is_over(self) -> bool:
        """Whether no step is left: an epoch under way is finished, whoever asks for the end."""
        return self.epoch >= self.max_epochs or (self.stop_training and not self.step)

    def check_last_batch(self) -> None:
        """Refuse a model that cannot train on one image, where an epoch's last step has one: at once, not an epoch later.

        The step is tried without gradient; weights, statistics and random numbers stay as they are.

        Raises:
            UserError: batch normalisation has one value a channel to normalise over.
        """
        loader, model = self.dataloader, self.course.bare_model
        left = loader.sampler.num_samples % (loader.batch_size * loader.shares)
        if loader.drop_last or not 0 < left <= loader.shares:
            return
        before = {name: value.clone() for name, value in model.state_dict().items()}
        loader.set_position(0, len(loader) - 1)
        try:
            with torch.no_grad(), torch.random.fork_rng(devices=[]), autocast(self.course.precision):
                model.train()
                model(*model.data_preprocessor(next(iter(loader)), True), mode='loss')
        except ValueError as error:
            if 'more than 1 value per channel' not in str(error):
                raise
            raise UserError(
                "an epoch's last step has one image, over which batch normalisation has nothing to normalise: set "
                'train_dataloader.drop_last=True, or another batch_size.'
            ) from error
        finally:
            model.load_state_dict(before)

    def _is_due(self) -> bool:
        due = self.is_over or is_due(self.epoch, self.max_epochs, self.val_interval, self.val_last)
        return due and self.runner.val_loop is not None

    def _evaluate_if_due(self) -> None:
        if self.epoch and self._is_due() and self.epoch not in self.course.evaluated_epochs:
            self.course.record_evaluation(self.epoch, self.runner.val_loop.run())

    def run(self) -> torch.nn.Module:
        """Train to the end; an evaluation that a resumed checkpoint still owes comes first."""
        try:
            return self._run()
        finally:
            self.dataloader.close()

    def _run(self) -> torch.nn.Module:
        self.runner.call_hook('before_train')
        self.check_last_batch()
        self.course.begin_training()
        known = self.is_over and self.epoch in self.course.evaluated_epochs
        if self.step == 0:
            self._evaluate_if_due()
        while not self.is_over:
            self.run_epoch()
            self._evaluate_if_due()
        if self.stop_training and self.epoch < self.max_epochs:
            say(f'stopped after epoch {self.epoch} of {self.max_epochs}: {self._why()}')
        last = Path(self.runner.work_dir) / f'epoch_{self.epoch}.pth'
        if known:  # killed between its last checkpoint and its results: each class's accuracy stands in no checkpoint
            self.runner.val_loop.run()
        # A hook ended the run early, after an evaluation of which the last checkpoint knows or not, or there is none.
        elif self.course.agreed(self.stop_training or not last.is_file()):
            self.course.save_run(self.epoch, 0)
        self.runner.call_hook('after_train')
        return self.runner.model

    def _why(self) -> str:
        """Which hook ended training, as far as hooks tell."""
        stoppers = [hook for hook in self.runner.hooks if isinstance(hook, EarlyStoppingHook)]
        told = [f'{hook.monitor} did not improve for {hook.patience} evaluations' for hook in stoppers]
        return ' or '.join(told) or 'a hook ended it'

    def run_epoch(self) -> None:
        """One epoch, or what is left of it."""
        runner, model = self.runner, self.course.bare_model
        model.set_epoch(self.epoch)
        runner.call_hook('before_train_epoch')
        runner.model.train()
        self.dataloader.set_position(self.epoch, self.step)
        for batch in self.dataloader:
            self.run_iter(batch)
        average_statistics(model, runner.hooks)
        runner.call_hook('after_train_epoch')
        self.epoch, self.step = self.epoch + 1, 0

    def run_iter(self, batch) -> None:  # noqa: ANN001
        """One step: its random numbers (dropout and the like) are a function of seed, step and rank."""
        runner = self.runner
        seed = self.course.draw_seed + self.iter * get_world_size() + get_rank()
        torch.manual_seed(seed)
        np.random.seed(seed % 2**32)
        random.seed(seed)
        runner.call_hook('before_train_iter', batch_idx=self.step, data_batch=batch)
        outputs = runner.model.train_step(batch, optim_wrapper=runner.optim_wrapper)
        self.course.bare_model.end_step(updated=runner.optim_wrapper.should_update())
        self.course.watch.add(outputs, self.iter)
        runner.call_hook('after_train_iter', batch_idx=self.step, data_batch=batch, outputs=outputs)
        self.step += 1
        self.course.stop_if_asked()


@LOOPS.register_module()
class EvalLoop(BaseLoop):
    """Evaluate in large batches; shot groups come from the counts the model was trained on.

    Args:
        runner: the runner.
        dataloader: config of the loader.
        evaluator: config of the metric or metrics.
    """

    def __init__(self, runner, dataloader: BatchLoader | dict, evaluator) -> None:  # noqa: ANN001
        self.course = course_of(runner)
        super().__init__(runner, build_loader(dataloader))
        self.evaluator = runner.build_evaluator(evaluator)
        self.evaluator.metrics = as_metrics(self.evaluator.metrics)

    @property
    def details(self) -> dict:
        """The shot groups and each class's accuracy at the last evaluation, where a metric tells; see `ShotGroupMetric`."""
        return next((metric.details for metric in self.evaluator.metrics if getattr(metric, 'details', None)), {})

    def evaluation(self, probabilities: bool = True) -> SingleLabelEvaluation | MultiLabelEvaluation | None:
        """Everything there is to say of the last evaluation, where a metric can; see `ShotGroupMetric.evaluation`.

        Args:
            probabilities: whether the model's outputs give any.
        """
        metric = next((metric for metric in self.evaluator.metrics if hasattr(metric, 'evaluation')), None)
        full = metric and metric.evaluation(probabilities)
        if full:
            full.tables = {name: table for one in self.evaluator.metrics for name, table in getattr(one, 'tables', {}).items()}
        return full

    @torch.inference_mode()
    def batches(self, kind: str | None = None) -> Iterator[list[dict]]:
        """The model's records, batch by batch.

        Args:
            kind: `val` or `test`, for the hooks of these; None without hooks.
        """
        model = self.course.bare_model
        model.eval()
        for place, batch in enumerate(self.dataloader):
            if kind:
                self.runner.call_hook(f'before_{kind}_iter', batch_idx=place, data_batch=batch)
            with autocast(self.course.precision):
                records = model.val_step(batch)
            if kind:
                self.runner.call_hook(f'after_{kind}_iter', batch_idx=place, data_batch=batch, outputs=records)
            yield records

    def run(self, hooks: bool = True) -> dict[str, float]:
        """Evaluate once.

        Args:
            hooks: whether the run's hooks are called, which may for instance put an average in place of the weights.

        Returns:
            The metrics by name.
        """
        runner = self.runner
        kind = 'val' if is_val_loop(runner, self) else 'test'
        call = runner.call_hook if hooks else lambda *_, **__: None
        call(f'before_{kind}')
        call(f'before_{kind}_epoch')
        dataset = self.dataloader.dataset
        counts = self.course.bare_model.class_counts.tolist()
        self.evaluator.dataset_meta = {**dataset.metainfo, 'class_counts': counts}
        for records in self.batches(kind if hooks else None):
            self.evaluator.process(data_samples=records, data_batch=None)
        try:
            metrics = self.evaluator.evaluate(len(dataset))
        except ValueError as error:  # MMEngine's words for two metrics that give the same name
            if 'same metric name' not in str(error):
                raise
            raise UserError(f"{kind}_evaluator: {error} Set one's prefix ('mmpretrain', for instance).") from error
        call(f'after_{kind}_epoch', metrics=metrics)
        call(f'after_{kind}')
        return metrics
