"""The end of a run with a hold-out: the test set is looked at once, by the last epoch and by the one that was chosen."""

from pathlib import Path
from typing import Any, NamedTuple

from mmlt.engine.checkpoint import load_checkpoint
from mmlt.engine.console import say
from mmlt.engine.loops import EvalLoop
from mmlt.engine.runner import LongTailedRunner
from mmlt.engine.stages import Stage
from mmlt.errors import UserError
from mmlt.models.weights import load_weights


class Outcome(NamedTuple):
    """What a run's results are made of.

    Attributes:
        loop: whose last evaluation is that of the last epoch.
        split: what that was evaluated on, `test` or `holdout`.
        last, best: `{epoch, metrics}` of the last and of the chosen epoch, evaluated on `split`.
        holdout: where `split` is another set than the one that chose: `last` and `best` on that one; else empty.
    """

    loop: EvalLoop
    split: str
    last: dict[str, Any]
    best: dict[str, Any]
    holdout: dict[str, Any]


def split_of(dataset: Any) -> str:
    """What a data set is: `holdout` if its images were set aside from the training images, else `test`."""
    return 'holdout' if getattr(dataset, 'split', None) == 'holdout' else 'test'


def chosen_on(stage: Stage) -> str:
    """The split that chooses a run's best epoch; with `holdout = True` it is none of the test set, whatever it is called."""
    return 'holdout' if stage.test_loader else split_of(stage.val_loader.dataset)


def tuned_values(runner: LongTailedRunner) -> dict:
    """Values beside the weights that were chosen on images set aside, with these images' name; empty without."""
    thresholds = getattr(runner.bare_model, 'thresholds', None)
    return {} if thresholds is None else dict(tuned=dict(thresholds=dict(value=thresholds.tolist(), found_on='holdout')))


def outcome_of_run(stage: Stage, runner: LongTailedRunner) -> Outcome:
    """The last and the best epoch of a run that has been trained, tested where the config says `holdout = True`.

    Args:
        stage: the run.
        runner: whose training has ended.
    """
    last, best = runner.history[-1], runner.selection.best(runner.history)
    if stage.test_loader is None:
        return Outcome(runner.val_loop, split_of(stage.val_loader.dataset), last, best, {})
    say(f'  the test set, {len(stage.test_loader.dataset):,} images, is looked at now that all is chosen')
    loop = runner.test_loop
    chosen = None if best['epoch'] == last['epoch'] else _metrics_of_best(stage, runner, loop, best['epoch'])
    tested = dict(epoch=last['epoch'], metrics=loop.run())
    return Outcome(
        loop, split_of(stage.test_loader.dataset), tested, dict(epoch=best['epoch'], metrics=tested['metrics'] if chosen is None
        else chosen), dict(last=last['metrics'], best=best['metrics']),
    )  # fmt: skip


def _metrics_of_best(stage: Stage, runner: LongTailedRunner, loop: EvalLoop, epoch: int) -> dict[str, float]:
    """The metrics of `best.pth`; nothing, and a word of it, where the file is not that epoch's any more."""
    path, model = Path(stage.folder) / 'best.pth', runner.bare_model
    try:
        content = load_checkpoint(path)
        if content['meta'].get('epoch') != epoch:
            raise UserError(f'{path} holds the weights of another epoch.')
    except UserError as error:
        say(f'  the best epoch, {epoch}, is not tested: {error}')
        return {}
    weights = {name: value.clone() for name, value in model.state_dict().items()}
    thresholds = getattr(model, 'thresholds', None)
    load_weights(model, model.current_names(content['state_dict']), path)
    if content['meta'].get('thresholds'):
        model.set_thresholds(content['meta']['thresholds'])
    # Without hooks: an average of the weights, where a run has one, is what the file holds.
    metrics = loop.run(hooks=False)
    model.load_state_dict(weights)
    model.thresholds = thresholds
    return metrics
