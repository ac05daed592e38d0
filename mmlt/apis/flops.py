"""Parameters and multiply-adds of a config's model, part by part."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from mmlt.config.load import load_config
from mmlt.errors import UserError
from mmlt.models.momentum import FeatureQueue
from mmlt.registry import MODELS


@dataclass
class Part:
    """One part of a model.

    Args:
        name: path below the model, `backbone.layer1`; empty for the whole.
        parameters: weights in it; for a queue the features that it keeps.
        macs: multiply-adds of its convolutions and matrix products, for one image.
        training_only: a prediction does not run it: a projector, a momentum encoder, a queue.
    """

    name: str
    parameters: int
    macs: int
    training_only: bool = False


def count(
    config: str | Path, shape: tuple[int, int, int] = (3, 32, 32), overrides: dict[str, Any] | None = None
) -> list[Part]:
    """Count the model of `config` as it predicts one image; a teacher is no part of it.

    Multiply-adds are those of convolutions and matrix products, as papers count them: half of what torch's counter
    calls floating point operations. Normalisation and activations are not counted.

    Args:
        config: path of a config.
        shape: (C, H, W) of an image.
        overrides: config overrides.

    Returns:
        The whole model first (its name empty), as far as it predicts, then the parts of its parts, those that serve
        training alone last. The experts of a `MultiExpertBackbone` are one part.

    Raises:
        UserError: the model takes no image of this shape.
    """
    return count_model(MODELS.build(load_config(config, overrides).model), shape)


def count_model(model: nn.Module, shape: tuple[int, int, int]) -> list[Part]:
    """`count` of a model: called with images (1, C, H, W), it gives logits."""
    model.eval()
    image = torch.zeros(1, *shape)
    counter = FlopCounterMode(display=False)
    ran: set[nn.Module] = set()
    hooks = [module.register_forward_hook(lambda module, *_: ran.add(module)) for module in model.modules()]
    try:
        with torch.no_grad(), counter:
            model(image)
    except RuntimeError as error:
        raise UserError(f'the model takes no image of shape {shape} ({error}): give another --shape.') from error
    finally:
        for hook in hooks:
            hook.remove()
    root = type(model).__name__
    counted = {name: sum(kinds.values()) for name, kinds in counter.get_flop_counts().items()}

    def part(name: str, module: nn.Module) -> Part:
        training_only = not any(inner in ran for inner in module.modules())
        numbers = sum(weight.numel() for weight in module.parameters())
        if training_only:
            numbers += sum(queue.features.numel() for queue in module.modules() if isinstance(queue, FeatureQueue))
        return Part(name, numbers, operations(name, module) // 2, training_only)

    def operations(name: str, module: nn.Module) -> int:
        if module in ran:
            return counted.get(f'{root}.{name}', 0)
        return sum(operations(f'{name}.{below}', child) for below, child in module.named_children())  # of a list, say

    parts = []
    for name, child in model.named_children():
        whole = part(name, child)
        inner = [] if whole.training_only else [part(f'{name}.{below}', m) for below, m in child.named_children()]
        parts += [one for one in inner or [whole] if one.parameters or one.macs]
    parts.sort(key=lambda one: one.training_only)
    left_out = sum(w.numel() for name, w in model.named_parameters() if _is_below(name, parts))
    total = sum(weight.numel() for weight in model.parameters()) - left_out
    return [Part('', total, counter.get_total_flops() // 2), *parts]


def _is_below(name: str, parts: list[Part]) -> bool:
    return any(one.training_only and name.startswith(f'{one.name}.') for one in parts)
