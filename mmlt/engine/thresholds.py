"""Thresholds of images with several labels: chosen for each class on a hold-out, kept in the checkpoint."""

import torch
from mmengine.hooks import EMAHook, Hook
from mmengine.runner import Runner
from torch import Tensor
from torch.utils.data import Dataset

from mmlt.batch import Batch
from mmlt.engine.course import course_of
from mmlt.engine.device import autocast
from mmlt.engine.loader import BatchLoader, build_loader
from mmlt.engine.loops import is_due
from mmlt.errors import UserError
from mmlt.evaluation.multi_label import best_threshold
from mmlt.registry import HOOKS


@HOOKS.register_module()
class ThresholdHook(Hook):
    """Before each evaluation, and so before the checkpoint of that epoch, choose the threshold of each class by its best F1.

    It is chosen on the images that are set aside from training (`holdout=True`, or `protocol='cao-holdout'`). A class that
    none of them shows keeps a probability of one half. The thresholds are logits (K,), the model's `thresholds`; they stand in
    the checkpoint (`meta.thresholds`), and predictions and `MultiLabelMetric` take them from there.

    Raises:
        UserError: the training set has one label an image, or sets nothing aside.
    """

    priority = 'BELOW_NORMAL'  # before the checkpoint

    def before_train(self, runner) -> None:  # noqa: ANN001
        """Refuse a training set without a hold-out at once."""
        images_aside(runner)

    def before_train_epoch(self, runner) -> None:  # noqa: ANN001
        """Forget those of the weights before: a checkpoint between two evaluations has none."""
        course_of(runner).bare_model.thresholds = None

    def after_train_epoch(self, runner) -> None:  # noqa: ANN001
        """Choose, where the epoch is evaluated."""
        loop = runner.train_loop
        if is_due(loop.epoch + 1, loop.max_epochs, loop.val_interval, loop.val_last):
            course = course_of(runner)
            averages = [hook for hook in runner.hooks if isinstance(hook, EMAHook)]
            for hook in averages:  # the averaged weights are those that are evaluated, and that stand in the checkpoint
                hook.before_val_epoch(runner)
            course.bare_model.thresholds = choose(course.bare_model, images_aside(runner), course.precision)
            for hook in averages:
                hook.after_val_epoch(runner)


def images_aside(runner: Runner) -> Dataset:
    """The images that thresholds are chosen on: those that are evaluated on, if these are set aside, else `holdout_of`."""
    evaluated = runner.val_loop.dataloader.dataset
    aside = runner.cfg.get('holdout') or getattr(evaluated, 'split', None) == 'holdout'
    return evaluated if aside and evaluated.labels.ndim == 2 else holdout_of(runner.train_loop.dataloader)


def holdout_of(loader: BatchLoader) -> Dataset:
    """The images that the training set sets aside.

    Raises:
        UserError: see `ThresholdHook`.
    """
    dataset = loader.dataset
    try:
        if dataset.labels.ndim == 2 and hasattr(dataset, 'set_aside'):
            return dataset.set_aside()
        why = 'it is of another kind'
    except UserError as error:
        why = str(error).partition(':')[0]
    raise UserError(
        'ThresholdHook chooses thresholds for several labels on images that are not trained on, and the training set has none '
        f"({why}): set holdout=True, or train_dataloader.dataset=dict(type='LongTailedDataset', profile='natural', "
        "protocol='cao-holdout', dataset=...), or holdout=dict(part='train') of a MultiLabelDataset."
    )


@torch.inference_mode()
def choose(model: torch.nn.Module, holdout: Dataset, precision: str = 'fp32') -> Tensor:
    """The thresholds, float32 (K,) logits; every rank looks at all images.

    Args:
        model: the classifier.
        holdout: the images.
        precision: `fp32` or `bf16`.
    """
    loader = build_loader(dict(batch_size=256, dataset=holdout))
    loader.rank, loader.world_size = 0, 1
    training = model.training
    model.eval()
    scores, shown = [], []
    for data in loader:
        batch: Batch = model.data_preprocessor(data, False)
        with autocast(precision):
            scores.append(model(batch.images).float().cpu())
        shown.append(batch.targets.cpu() > 0)
    model.train(training)
    scores, shown = torch.cat(scores).double().numpy(), torch.cat(shown).numpy()
    found = [best_threshold(scores[:, c], shown[:, c]) for c in range(scores.shape[1])]
    return torch.tensor([0.0 if cut is None else cut for cut in found], device=model.class_counts.device)
