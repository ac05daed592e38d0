"""Whether a checkpoint's state is one that this very run could have: checked whole before any of it is taken over."""

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from mmlt.engine.state import statistics_of
from mmlt.tensors import is_finite, not_finite

AVERAGED = 'module.'  # before the names of an average's weights
Layout = tuple[torch.Size, torch.dtype]


def misfit(runner: Any, content: dict) -> str | None:
    """What of a checkpoint's content this run cannot go on with, in words; None if it can with all.

    A fused optimizer writes through whatever buffer it is given: one of another shape ends the process.

    Args:
        runner: the runner, its model and optimizer built.
        content: of a checkpoint whose structure `load_checkpoint` has checked.
    """
    meta = content['meta']
    for key in ('epoch', 'step', 'history'):
        if meta.get(key) is None:
            return f'its {key} is missing'
    for key in ('optimizer', 'param_schedulers'):
        if key not in content:
            return f'its {key} is missing'
    epoch, step = meta['epoch'], meta['step']
    if not 0 <= epoch <= runner.max_epochs or not 0 <= step < len(runner.train_loop.dataloader):
        return f'epoch {epoch}, step {step} is no place in this run'
    evaluated = [record['epoch'] for record in meta['history']]
    if evaluated != sorted(set(evaluated)) or not all(0 < number <= epoch for number in evaluated):
        return f'the evaluated epochs {evaluated} are none of this run'
    return (
        _weights(runner, content)
        or _optimizer(runner.optim_wrapper.optimizer, content['optimizer'])
        or _schedulers(runner.param_schedulers or [], content['param_schedulers'])
        or _own(runner.bare_model, content)
        or _terms(runner.bare_model, content)
    )


def by_current_names(model: Any, content: dict) -> dict:
    """What of a checkpoint goes by the names of weights, by today's: the parts of older ones had other places.

    Args:
        model: the classifier.
        content: of a checkpoint.

    Returns:
        The parts of `content` that there are of this kind.
    """
    names = model.current_names
    parts = {key: names(content[key]) for key in ('state_dict', 'gradients') if key in content}
    if 'ranks' in content:
        parts['ranks'] = [{part: names(tensors) for part, tensors in own.items()} for own in content['ranks']]
    if 'ema_state_dict' in content:
        average = content['ema_state_dict']
        inner = {name.removeprefix(AVERAGED): value for name, value in average.items() if name.startswith(AVERAGED)}
        beside = {name: value for name, value in average.items() if not name.startswith(AVERAGED)}
        parts['ema_state_dict'] = {f'{AVERAGED}{name}': value for name, value in names(inner).items()} | beside
    return parts


def _layout(tensors: Mapping[str, Tensor]) -> dict[str, Layout]:
    return {name: (value.shape, value.dtype) for name, value in tensors.items()}


def _tensors(found: Mapping[str, Tensor], wanted: Mapping[str, Layout], what: str, all_there: bool = True) -> str | None:
    """Tensors whose names, shapes and types must be those wanted."""
    for name, value in found.items():
        if name not in wanted:
            return f'{what} {name} is none of this run'
        if (value.shape, value.dtype) != wanted[name]:
            shape, dtype = wanted[name]
            return f'{what} {name} is {value.dtype} {tuple(value.shape)} there and {dtype} {tuple(shape)} here'
    missing = sorted(wanted.keys() - found.keys()) if all_there else []
    return f'{what} {missing[0]} is missing' if missing else None


def _weights(runner: Any, content: dict) -> str | None:
    own = runner.bare_model.state_dict()
    if wrong := _tensors(content['state_dict'], _layout(own), 'the weight'):
        return wrong
    if wild := not_finite(content['state_dict'], but=own):
        return f'the weight {wild} is NaN or infinite'
    for hook in runner.hooks:
        average = getattr(hook, 'ema_model', None)
        if isinstance(average, nn.Module):
            if 'ema_state_dict' not in content:
                return 'its ema_state_dict is missing'
            here = average.state_dict()
            if wrong := _tensors(content['ema_state_dict'], _layout(here), 'the average'):
                return wrong
            if wild := not_finite(content['ema_state_dict'], but=here):
                return f'the average {wild} is NaN or infinite'
    return None


def _optimizer(optimizer: Optimizer, stored: Any) -> str | None:
    """An optimizer's state dict: its groups as they are here, each parameter's state as a step of it makes one."""
    if not isinstance(stored, dict) or not isinstance(stored.get('state'), dict):
        return 'its optimizer has no state'
    here = optimizer.state_dict()['param_groups']
    groups = stored.get('param_groups')
    if not isinstance(groups, list) or len(groups) != len(here):
        return f"its optimizer's groups are not the {len(here)} of this run"
    for number, (own, group) in enumerate(zip(here, groups, strict=True)):
        if wrong := _group(own, group):
            return f"group {number} of its optimizer: {wrong}"
    parameters = [parameter for group in optimizer.param_groups for parameter in group['params']]
    layouts = _layouts_of_state(optimizer)
    for place, state in stored['state'].items():
        if type(place) is not int or not 0 <= place < len(parameters) or not isinstance(state, dict):
            return f"its optimizer's state of parameter {place!r} is none of this run"
        for name, value in state.items():
            if wrong := _entry(str(name), value, parameters[place], layouts and layouts[place]):
                return f"its optimizer's {name} of parameter {place} {wrong}"
    return None


def _group(own: dict, stored: Any) -> str | None:
    if not isinstance(stored, dict) or stored.keys() != own.keys():
        return 'it has other settings than here'
    for key, value in own.items():
        found = stored[key]
        if key == 'params' or isinstance(value, str):
            if found != value:
                return f'its {key} are others than here'
        elif not _alike(value, found):
            return f'{key} is no such value as here'
    return None


def _alike(own: Any, found: Any) -> bool:
    """Whether a setting is of the kind that it is here: a finite number, numbers, a tensor, or a switch (with None)."""
    if isinstance(own, Tensor) or isinstance(found, Tensor):
        return all(isinstance(value, Tensor) for value in (own, found)) and own.shape == found.shape and is_finite(found)
    if own is None or isinstance(own, bool):
        return found is None or isinstance(found, bool)
    if isinstance(own, (int, float)):
        return type(found) in (int, float) and abs(found) < float('inf')
    if isinstance(own, Sequence):
        return isinstance(found, list) and len(found) == len(own) and all(map(_alike, own, found))
    return True


def _entry(name: str, value: Any, parameter: Tensor, layouts: dict[str, Layout | None] | None) -> str | None:
    """One entry of the state that an optimizer keeps of a parameter."""
    if layouts is not None and name not in layouts:
        return 'is none of this run'
    if not isinstance(value, Tensor):
        number = value is None or type(value) is bool or (type(value) in (int, float) and abs(value) < float('inf'))
        return None if number and not (layouts and layouts[name]) else 'is no tensor as here'
    layout = layouts[name] if layouts is not None else None
    if layout is None:  # unknown: a counter, or shaped like its parameter
        layout = (parameter.shape if value.numel() != 1 else value.shape, value.dtype)
    if value.shape != layout[0] or (value.dtype != layout[1] and value.numel() != 1):
        return f'is {value.dtype} {tuple(value.shape)} there and {layout[1]} {tuple(layout[0])} here'
    return None if is_finite(value) else 'is NaN or infinite'


def _layouts_of_state(optimizer: Optimizer) -> list[dict[str, Layout | None]] | None:
    """What a step leaves of each parameter, found by one on a copy; None where the copy cannot step by itself."""
    try:
        probe = copy.deepcopy(optimizer)
        for group in probe.param_groups:
            for parameter in group['params']:
                parameter.grad = torch.zeros_like(parameter)
        type(probe).step(probe)
    except Exception:  # an optimizer of somebody's own: with a closure, with attributes that a copy lacks
        return None
    parameters = [parameter for group in probe.param_groups for parameter in group['params']]
    return [
        {str(name): (value.shape, value.dtype) if isinstance(value, Tensor) else None
         for name, value in probe.state.get(parameter, {}).items()}
        for parameter in parameters
    ]  # fmt: skip


def _schedulers(schedulers: Sequence[Any], stored: list[dict]) -> str | None:
    if len(stored) != len(schedulers):
        return f'it has {len(stored)} schedules and this run {len(schedulers)}'
    for number, (scheduler, state) in enumerate(zip(schedulers, stored, strict=True)):
        foreign = sorted(state.keys() - scheduler.state_dict().keys())
        if foreign:
            return f'schedule {number} has no {foreign[0]!r}'
    return None


def _terms(model: nn.Module, content: dict) -> str | None:
    """What terms keep beside weights: of the same terms, finite."""
    here, there = model.kept_state().keys(), content.get('terms', {}).keys()
    if here != there:
        return f'it has the state of the terms {sorted(there)} and this run has {sorted(here)}'
    wild = not_finite(content.get('terms', {}))
    return f"its terms' {wild} is NaN or infinite" if wild else None


def _own(model: nn.Module, content: dict) -> str | None:
    """Gradients under way, and the statistics of each rank."""
    gradients, statistics = _layout(dict(model.named_parameters())), _layout(statistics_of(model))
    alone = dict(gradients=content.get('gradients', {}), statistics={})
    for own in [alone, *content.get('ranks', [])]:
        wrong = _tensors(own['gradients'], gradients, 'the gradient', all_there=False)
        wrong = wrong or _tensors(own['statistics'], statistics, 'the statistic', all_there=False)
        if wrong:
            return wrong
        if wild := not_finite(own['statistics']):
            return f'the statistic {wild} is NaN or infinite'
    return None
