"""A run that goes on with another number of ranks: its steps are others, and so is the place of a checkpoint among them."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine.optim import OptimWrapper, _ParamScheduler

from mmlt.errors import UserError


def find_place(path: Path, content: dict, steps_an_update: int) -> None:
    """Count the steps of a checkpoint, which another number of ranks may have written, in steps of this run.

    The two take the same images in an update: a run with another global batch is another run.

    Args:
        path: of the checkpoint, for the message.
        content: of the checkpoint; its `meta` is changed.
        steps_an_update: of this run.

    Raises:
        UserError: it was written in the midst of an update.
    """
    meta = content['meta']
    before = meta.get('steps_an_update', steps_an_update)
    if before == steps_an_update or type(meta.get('step')) is not int:
        return
    if meta['step'] % before:
        raise UserError(
            f'{path} was written in the midst of an update of {before} steps, which this run makes in {steps_an_update}.'
        )
    meta.update(step=meta['step'] // before * steps_an_update, other_ranks=True)


def resume_schedules(
    schedulers: Sequence[_ParamScheduler], optim_wrapper: OptimWrapper, stored: dict, meta: dict, steps_an_epoch: int
) -> None:
    """Take over an optimizer's state, with the settings that the schedules have at this place in steps of this run.

    Args:
        schedulers: of this run, as they are before the first step; they are brought to the place.
        optim_wrapper: of this run.
        stored: the optimizer's state in the checkpoint.
        meta: of the checkpoint, its place found.
        steps_an_epoch: of this run.

    Raises:
        UserError: a schedule follows the metrics, which nobody can replay.
    """
    if following := next((one for one in schedulers if not isinstance(one, _ParamScheduler)), None):
        raise UserError(
            f'{type(following).__name__} follows the metrics, so this run goes on with its former number of ranks alone.'
        )
    _replay(schedulers, meta['epoch'], meta['step'], steps_an_epoch)
    names = {scheduler.param_name for scheduler in schedulers}
    now: list[dict[str, Any]] = [{key: group[key] for key in names if key in group} for group in optim_wrapper.param_groups]
    optim_wrapper.load_state_dict(stored)
    for group, values in zip(optim_wrapper.param_groups, now, strict=True):
        group.update(values)


def _replay(schedulers: Sequence[_ParamScheduler], epoch: int, step: int, steps_an_epoch: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # MMEngine misses the optimizer's steps between
        for number in range(epoch + 1):
            for _ in range(steps_an_epoch if number < epoch else step):
                for one in schedulers:
                    if not one.by_epoch:
                        one.step()
            for one in schedulers:
                if number < epoch and one.by_epoch:
                    one.step()
