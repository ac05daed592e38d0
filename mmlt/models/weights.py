"""Weights into a model, every name and shape agreeing."""

from pathlib import Path

from torch import nn

from mmlt.errors import UserError
from mmlt.tensors import not_finite


def load_weights(model: nn.Module, state_dict: dict, source: str | Path) -> None:
    """Put weights into a model, every name and shape agreeing.

    Raises:
        UserError: the weights are another architecture's; the first differing layers are named.
    """
    own = model.state_dict()
    missing = sorted(own.keys() - state_dict.keys())
    foreign = sorted(state_dict.keys() - own.keys())
    shapes = [
        f'{name} is {tuple(state_dict[name].shape)} there and {tuple(own[name].shape)} here'
        for name in own.keys() & state_dict.keys()
        if own[name].shape != state_dict[name].shape
    ]
    parts = []
    if shapes:
        parts.append('; '.join(sorted(shapes)[:3]))
    if missing:
        parts.append(f'it lacks {", ".join(missing[:3])}' + (f' and {len(missing) - 3} more' if len(missing) > 3 else ''))
    if foreign:
        parts.append(f'unknown here: {", ".join(foreign[:3])}' + (f' and {len(foreign) - 3} more' if len(foreign) > 3 else ''))
    if parts:
        raise UserError(f'{source} does not fit the config\'s model: {"; ".join(parts)}.')
    if wild := not_finite(state_dict, but=own):
        raise UserError(f'{source} holds values that are NaN or infinite ({wild}): use an earlier checkpoint.')
    model.load_state_dict(state_dict)
