"""Parameters and multiply-adds of a config's model, part by part."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from mmlt.apis.config import load_config
from mmlt.errors import UserError
from mmlt.registry import MODELS


@dataclass
class Part:
    """One part of a model.

    Args:
        name: path below the model, `backbone.layer1`; empty for the whole.
        parameters: trained numbers in it.
        macs: multiply-adds of its convolutions and matrix products, for one image.
    """

    name: str
    parameters: int
    macs: int


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
        The whole model first (its name empty), then the parts of its parts.

    Raises:
        UserError: the model takes no image of this shape.
    """
    return count_model(MODELS.build(load_config(config, overrides).model), shape)


def count_model(model: nn.Module, shape: tuple[int, int, int]) -> list[Part]:
    """`count` of a model: called with images (1, C, H, W), it gives logits."""
    model.eval()
    image = torch.zeros(1, *shape)
    counter = FlopCounterMode(display=False)
    try:
        with torch.no_grad(), counter:
            model(image)
    except RuntimeError as error:
        raise UserError(f'the model takes no image of shape {shape} ({error}): give another --shape.') from error
    root = type(model).__name__
    counted = {name: sum(operations.values()) for name, operations in counter.get_flop_counts().items()}
    counted[root] = counter.get_total_flops()

    def part(name: str, module: nn.Module) -> Part:
        path = f'{root}.{name}' if name else root
        return Part(name, sum(weight.numel() for weight in module.parameters()), counted.get(path, 0) // 2)

    parts = [part('', model)]
    for name, child in model.named_children():
        inner = [part(f'{name}.{below}', module) for below, module in child.named_children()] or [part(name, child)]
        parts += [one for one in inner if one.parameters or one.macs]
    return parts
