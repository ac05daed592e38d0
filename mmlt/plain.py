"""Plain data: what a file keeps and anybody can open without trusting anything."""

import sys
from typing import Any

import torch


def plain(value: Any) -> Any:
    """`value` as builtins and tensors alone: what a bare `torch.load` opens without trusting anything.

    Equal texts become one object, since a pickle is shorter by those it has met: so equal values give equal bytes.
    """
    if isinstance(value, torch.Tensor) or value is None or type(value) in (bool, int, float):
        return value
    if isinstance(value, str):
        return sys.intern(str(value))
    if isinstance(value, dict):
        return {(key if type(key) is int else sys.intern(str(key))): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [plain(item) for item in value]
    if hasattr(value, 'item') and getattr(value, 'ndim', 1) == 0:
        return value.item()
    if hasattr(value, 'tolist'):
        return value.tolist()
    return sys.intern(str(value))
