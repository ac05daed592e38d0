"""What data read from a file must look like, checked whole at the door: every field's kind, every number's size."""

import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmlt.errors import quoted

NUMBER = (int, float)
ANY = (object,)
WHOLE = 2**63  # whole numbers lie below this, on either side of 0
MOST_BYTES = 256 * 2**20  # of a JSON file
# What `describe` says of a set of images.
FINGERPRINT: dict = {
    'dataset': (str,),
    'profile': (str, None),
    'imbalance_ratio': (*NUMBER, None),
    'protocol': (str, None),
    'num_images': (int,),
    'indices_sha256': (str, None),
    'content_sha256': (str, None),
}


def problem(value: Any, kinds: Any, path: str = '', finite: bool = True) -> str | None:
    """What is wrong with a value, in words that name the place; None if nothing is.

    Args:
        value: plain data.
        kinds: a dict names keys, those that end in `?` need not be there, others that the value has are not looked at;
            `{type: kinds}` is a mapping of any keys of that type; `[kinds]` is a list of any length; a tuple lists what is
            allowed: types, None, a compiled pattern that a whole text matches (its comment `(?#...)` says what
            that is), and at most one dict or list.
        path: of the value.
        finite: whether a NaN or infinite number is wrong.
    """
    if isinstance(kinds, dict):
        return _problem_of_object(value, kinds, path, finite)
    if isinstance(kinds, list):
        if not isinstance(value, list):
            return f'{path or "the whole"} must be a list, not {quoted(value)}'
        parts = (problem(item, kinds[0], f'{path}[{place}]', finite) for place, item in enumerate(value))
        return next(filter(None, parts), None)
    for kind in kinds:
        if isinstance(kind, (dict, list)) and isinstance(value, type(kind)):
            return problem(value, kind, path, finite)
    if not any(_is(value, kind) for kind in kinds):
        return f'{path} must be {" or ".join(map(_name, kinds))}, not {quoted(value)}'
    if type(value) is int and not -WHOLE <= value < WHOLE:
        return f'{path} is a whole number of more than 64 bits'
    if finite and isinstance(value, float) and not math.isfinite(value):
        return f'{path} is {value}'
    return None


def _problem_of_object(value: Any, kinds: dict, path: str, finite: bool) -> str | None:
    if not isinstance(value, Mapping):
        return f'{path or "the whole"} must be an object, not {quoted(value)}'
    (first, *_) = kinds
    of_any_keys = isinstance(first, type)
    for name in value if of_any_keys else kinds:
        if of_any_keys and type(name) is not first:
            return f'{path or "the whole"} has the key {quoted(name)}, which must be {_name(first)}'
        key = name if of_any_keys else name.removesuffix('?')
        inner = f'{path}.{key}' if path else str(key)
        if key in value:
            if wrong := problem(value[key], kinds[first if of_any_keys else name], inner, finite):
                return wrong
        elif key == name:
            return f'{inner} is missing'
    return None


def _is(value: Any, kind: Any) -> bool:
    if isinstance(kind, re.Pattern):
        return isinstance(value, str) and kind.fullmatch(value) is not None
    if isinstance(kind, type):
        return isinstance(value, kind) and (kind in (object, bool) or type(value) is not bool)
    return kind is None and value is None


def _name(kind: Any) -> str:
    if isinstance(kind, re.Pattern):
        return named[1] if (named := re.match(r'\(\?#(.*?)\)', kind.pattern)) else f'a text like {kind.pattern}'
    if isinstance(kind, type):
        return kind.__name__
    return {dict: 'an object', list: 'a list'}.get(type(kind), 'null')


def parse_json(text: str) -> Any:
    """Strict JSON: no NaN, no infinity, no nesting that Python cannot hold.

    Raises:
        ValueError: it is not.
    """
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except RecursionError:
        raise ValueError('it is nested too deeply') from None


def read_json(path: str | Path) -> Any:
    """Read a file of strict JSON.

    Raises:
        OSError: there is no such file.
        ValueError: it is larger than `MOST_BYTES`, not UTF-8, or no strict JSON.
    """
    if (size := Path(path).stat().st_size) > MOST_BYTES:
        raise ValueError(f'it has {size:,} bytes')
    return parse_json(Path(path).read_text(encoding='utf-8'))


def _refuse_constant(name: str) -> None:
    raise ValueError(f'{name} is not a number that JSON knows')
