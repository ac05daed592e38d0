"""`a.b=value` on a command line."""

from typing import Any

from mmengine.config import DictAction

from mmlt.errors import UserError


def parse_options(options: list[str]) -> dict[str, Any]:
    """`['a.b=1', 'c=[1,2]']` to `{'a.b': 1, 'c': [1, 2]}`, values read as OpenMMLab's tools read them.

    Raises:
        UserError: an option without `=`, or one key with two values.
    """
    parsed, given = {}, {}
    for option in options:
        name, equals, value = option.partition('=')
        if not equals or not name:
            raise UserError(f'--cfg-options {option}: write it as KEY=VALUE.')
        parsed[name] = DictAction._parse_iterable(value)
        if given.setdefault(name, value) != value:
            raise UserError(f'--cfg-options gives {name} twice, as {given[name]} and as {value}: give it once.')
    return parsed
