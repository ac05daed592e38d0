"""Weights from a file, and into a model: all of them, or those that agree by name and shape."""

import pickle
import zipfile
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from mmlt.errors import UserError
from mmlt.files import size_as_stored
from mmlt.tensors import not_finite

WRAPPERS = ('state_dict', 'model', 'net')
SAFE = '.safetensors'


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


def load_agreeing(model: nn.Module, state_dict: dict[str, Tensor], source: str | Path) -> tuple[list[str], list[str]]:
    """Put those weights into a model that agree with its own by name and shape.

    Args:
        model: the model.
        state_dict: tensors by name.
        source: where they come from, for the message.

    Returns:
        The names that were taken, and for each other one, of the model or of the file, why it was not.

    Raises:
        UserError: nothing agrees.
    """
    own, given = model.state_dict(), state_dict
    taken = [name for name, value in own.items() if name in given and given[name].shape == value.shape]
    left = [
        f'{name} ({tuple(given[name].shape)} there, {tuple(value.shape)} here)' if name in given else f'{name} (not there)'
        for name, value in own.items()
        if name not in taken
    ]
    left += [f'{name} (unknown here)' for name in given if name not in own]
    if not taken:
        raise UserError(
            f'{source} has no weight that fits this model: it holds {", ".join(list(given)[:3])}, the model '
            f'{", ".join(list(own)[:3])}.'
        )
    model.load_state_dict({**own, **{name: given[name] for name in taken}})
    return taken, left


def read_weights(path: Path) -> dict[str, Tensor]:
    """Tensors by name from an .npz, a .safetensors or a .pth file; nothing in any is executed.

    Raises:
        UserError: it is missing, of another kind, damaged, or holds more than plain data.
    """
    if not path.is_file():
        raise UserError(f'there is no file {path}: check the path.')
    if path.suffix == '.npz':
        try:
            with np.load(path, allow_pickle=False) as file:
                return {name: torch.from_numpy(np.array(file[name])) for name in file.files}
        except Exception as error:  # a damaged archive fails in many ways
            raise UserError(f'{path} cannot be read as plain arrays ({error}): get it again.') from error
    if path.suffix == SAFE:
        return read_safetensors(path)[0]
    if path.suffix not in ('.pth', '.pt', '.tar'):
        raise UserError(f'{path} is neither .npz nor .safetensors nor .pth (or .pt, .tar): give one of these.')
    if zipfile.is_zipfile(path):  # not so before torch 1.6
        size_as_stored(path)
    try:
        content = torch.load(path, map_location='cpu', weights_only=True)
    except pickle.UnpicklingError as error:
        raise UserError(
            f'{path} is damaged or holds more than tensors and plain data, and is not loaded, since that could run '
            'code: ask its authors for the bare state dict.'
        ) from error
    except Exception as error:  # a damaged archive fails in many ways
        raise UserError(f'{path} is damaged ({type(error).__name__}): get it again.') from error
    for wrapper in WRAPPERS:
        if isinstance(content, dict) and isinstance(content.get(wrapper), dict):
            content = content[wrapper]
    items = content.items() if isinstance(content, dict) else ()
    tensors = {name: value for name, value in items if isinstance(value, Tensor)}
    if not tensors:
        raise UserError(f'{path} holds no tensors by name: give a state dict, or a file with one under "state_dict".')
    return tensors


def read_safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors by name and the texts beside them from a .safetensors file, which can hold nothing else.

    Raises:
        UserError: it is missing, damaged, or the package safetensors is not installed.
    """
    try:
        from safetensors import SafetensorError, safe_open
    except ImportError as error:
        raise UserError("a .safetensors file is read by the package safetensors: pip install safetensors.") from error
    if not path.is_file():
        raise UserError(f'there is no file {path}: check the path.')
    try:
        with safe_open(path, framework='pt') as file:
            return {name: file.get_tensor(name) for name in file.keys()}, dict(file.metadata() or {})  # noqa: SIM118
    except (SafetensorError, OSError, ValueError) as error:
        raise UserError(f'{path} is damaged or no .safetensors file ({error}): get it again.') from error
