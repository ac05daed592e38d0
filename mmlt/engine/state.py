"""What a run's state is made of beside its weights: parts that every rank has of its own, and tensors on a device."""

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.dist import all_gather, all_reduce_params, get_rank, get_world_size, is_main_process
from mmengine.hooks import EMAHook, Hook
from torch import Tensor, nn


def on_cpu(value: Any) -> Any:
    """`value` (tensors in dicts and lists) in CPU memory: a bare `torch.load` opens it on a machine without a GPU."""
    if isinstance(value, Tensor):
        return value.detach().cpu()
    if isinstance(value, dict):
        return {key: on_cpu(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [on_cpu(item) for item in value]
    return value


def statistics_of(model: nn.Module) -> dict[str, Tensor]:
    """Buffers that a rank counts on its own images, by name; other buffers are the same on all ranks."""
    kept = model.state_dict().keys()
    return {name: value for name, value in model.named_buffers() if name in kept and value.is_floating_point()}


def average_statistics(model: nn.Module, hooks: Sequence[Hook]) -> None:
    """Average over the ranks what each has counted on its own images, at the end of an epoch; every rank takes part.

    An average of the weights (`EMAHook`) has statistics too: those of the model, copied at each step, so they are copied
    once more, or with `update_buffers` an average of its own on each rank. The checkpoint holds these, and the evaluation
    sees the model's: both must be the same.

    Args:
        model: the model, without a distributed wrapper.
        hooks: of the run.
    """
    if get_world_size() == 1:
        return
    own = statistics_of(model)
    all_reduce_params(list(own.values()), op='mean')
    for average in (hook.ema_model for hook in hooks if isinstance(hook, EMAHook)):
        theirs = statistics_of(average.module)
        if average.update_buffers:
            all_reduce_params(list(theirs.values()), op='mean')
        else:
            for name, value in theirs.items():
                value.copy_(own[name])


def gather_own(model: nn.Module, gradients: bool, statistics: bool) -> dict:
    """What a checkpoint needs beside weights and optimizer between two steps; every rank takes part.

    Args:
        model: the model, without a distributed wrapper.
        gradients: whether gradients are being added up, which each rank does by itself until the update.
        statistics: whether an epoch is under way; at its end the ranks' statistics are averaged.

    Returns:
        Of one process, its `gradients` by name. Of several, on rank 0, `ranks`: a list by rank of `gradients` and of those
        `statistics` that differ. Nothing where there is nothing of the kind.
    """
    parameters = dict(model.named_parameters())
    if get_world_size() == 1:
        own = {name: value.grad for name, value in parameters.items() if value.grad is not None}
        return dict(gradients=own) if gradients else {}
    ranks = [dict(gradients={}, statistics={}) for _ in range(get_world_size())]

    def keep(part: str, name: str, values: list[Tensor], owners: list[int]) -> None:
        for own, value, owned in zip(ranks, values, owners, strict=True):
            if owned and is_main_process():
                own[part][name] = value.cpu()

    if gradients:
        # One tensor after the other: all at once would need the memory of as many models as there are ranks.
        present = torch.tensor([value.grad is not None for value in parameters.values()], dtype=torch.uint8)
        by_name = torch.stack(all_gather(present), dim=1).tolist()
        for (name, value), owners in zip(parameters.items(), by_name, strict=True):
            if any(owners):
                own = torch.zeros_like(value) if value.grad is None else value.grad
                keep('gradients', name, all_gather(own.detach().contiguous()), owners)
    if statistics:
        for name, value in statistics_of(model).items():
            values = all_gather(value.contiguous())
            if not all(torch.equal(values[0], other) for other in values[1:]):
                keep('statistics', name, values, [1] * len(values))
    return dict(ranks=ranks) if gradients or statistics else {}


def restore_own(model: nn.Module, content: dict) -> None:
    """Give this rank its own part of a checkpoint back, once the weights are loaded.

    Another number of ranks with the same global batch gets the mean of all parts, which is what an update and an epoch's
    end make of them.

    Args:
        model: the model, without a distributed wrapper.
        content: of the checkpoint; one process writes its `gradients` alone.
    """
    ranks = content.get('ranks') or [dict(gradients=content.get('gradients', {}), statistics={})]
    own = ranks[get_rank()] if len(ranks) == get_world_size() else _mean(ranks)
    for name, parameter in model.named_parameters():
        if name in own['gradients']:
            parameter.grad = torch.empty_like(parameter).copy_(own['gradients'][name])
    for name, value in statistics_of(model).items():
        if name in own['statistics']:
            value.copy_(own['statistics'][name])


def _mean(ranks: list[dict[str, dict[str, Tensor]]]) -> dict[str, dict[str, Tensor]]:
    mean = {}
    for part in ('gradients', 'statistics'):
        names = {name for own in ranks for name in own[part]}
        mean[part] = {
            name: sum(own[part][name] for own in ranks if name in own[part]) / len(ranks)  # a missing gradient is 0
            for name in names
        }
    return mean
