"""What can be said of tensors by name without knowing whose they are."""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor


def named_tensors(value: Any, path: str = '') -> Iterator[tuple[str, Tensor]]:
    """The tensors in dicts and lists, each with the keys that lead to it, joined by dots."""
    if isinstance(value, Tensor):
        yield path, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from named_tensors(item, f'{path}.{key}' if path else str(key))
    elif isinstance(value, (list, tuple)):
        for place, item in enumerate(value):
            yield from named_tensors(item, f'{path}.{place}' if path else str(place))


def is_finite(value: Tensor) -> bool:
    """Whether no element is NaN or infinite; whole numbers always are."""
    return not (value.is_floating_point() or value.is_complex()) or bool(torch.isfinite(value).all())


def not_finite(value: Any, but: Mapping[str, Tensor] | None = None) -> str | None:
    """Where the first tensor with a NaN or infinite element stands; None if there is none.

    Args:
        value: tensors in dicts and lists.
        but: tensors by name; one that is not finite there need not be so in `value` (a mask of a third party's model).
    """
    for name, tensor in named_tensors(value):
        if not is_finite(tensor) and not (but and name in but and not is_finite(but[name])):
            return name
    return None
