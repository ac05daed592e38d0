"""Overrides of a config: `a.b=value` on a command line, read and held against the config."""

import difflib
from argparse import ArgumentParser, Namespace
from typing import Any

from mmengine.config import Config, DictAction

from mmlt import registry
from mmlt.config.check import (
    ELSEWHERE,
    KNOWN_KEYS,
    LOADER_KEYS,
    PREREQUISITE_KEYS,
    TRAINING_KEYS,
    arguments_of,
    kind_at,
)
from mmlt.config.outcome import ROUTE
from mmlt.errors import UserError, brief


def parse_options(options: list[str]) -> dict[str, Any]:
    """`['a.b=1', 'c=[1,2]']` to `{'a.b': 1, 'c': [1, 2]}`, values read as OpenMMLab's tools read them.

    Raises:
        UserError: an option without `=`, or one key with two values.
    """
    given: dict[str, str] = {}
    for option in options:
        name, equals, value = option.partition('=')
        if not equals or not name:
            raise UserError(f'--cfg-options {option}: write it as KEY=VALUE.')
        if given.setdefault(name, value) != value:
            raise UserError(f'--cfg-options gives {name} twice, as {given[name]} and as {value}: give it once.')
    values = {}
    for option in options:
        parsed = Namespace()
        try:
            DictAction([], 'options')(ArgumentParser(), parsed, [option])
        except Exception as error:  # MMEngine's assertions on brackets and commas
            raise UserError(f'--cfg-options {brief(option)}: its value cannot be read; do its brackets match?') from error
        values |= parsed.options
    return values


def check_override(cfg: Config, name: str) -> None:
    """Refuse an override whose path does not exist, unless it names an argument of the part it points into.

    Raises:
        UserError: with the place where the path ends and the nearest key there.
    """
    node: Any = cfg
    keys = name.split('.')
    if keys[0] in ROUTE or keys[0] == 'aggregation':  # torch knows its keywords, or they are checked where they are used
        return
    if keys[0] in ELSEWHERE:
        raise UserError(f'--cfg-options {name}: mmlt does not read {keys[0]!r}: {ELSEWHERE[keys[0]]}.')
    if keys[0] in cfg and keys[0] not in KNOWN_KEYS:
        used = ', '.join(place for place in places_of(keys[0], cfg, 'the config') if place != keys[0])
        raise UserError(
            f"--cfg-options {name}: {keys[0]!r} is a variable of the config's file, which has been read by then: override the "
            f'key that it is used in{f" ({used}?)" if used else ""}.'
        )
    for depth, key in enumerate(keys):
        where = '.'.join(keys[:depth]) or 'the config'
        if isinstance(node, (list, tuple)):
            if not key.isdigit() or int(key) >= len(node):
                raise UserError(f'--cfg-options {name}: {where} is a list of {len(node)}, use a place from 0.')
            if depth == len(keys) - 1 and not isinstance(node[int(key)], dict):
                raise UserError(f'--cfg-options {name}: one place of a list of values is not set alone; give {where} whole.')
            node = node[int(key)]
        elif isinstance(node, (dict, Config)):
            if key in node:
                node = node[key]
                continue
            known = set(node)
            if depth == len(keys) - 1 and 'type' in node:
                known |= constructor_arguments(node['type'], where)
            elif depth == 0:
                known |= KNOWN_KEYS
            elif keys[0].endswith('_dataloader') and depth == 1:
                known |= LOADER_KEYS | (TRAINING_KEYS if keys[0] == 'train_dataloader' else set())
            elif keys[0] == 'prerequisites' and depth in (2, 3):
                known |= PREREQUISITE_KEYS
            if key in known and depth == len(keys) - 1:
                return
            inside = places_of(key, node, where) if depth == len(keys) - 1 else []
            near = inside or difflib.get_close_matches(key, sorted(known), n=1, cutoff=0.4)
            hint = f'; did you mean {near[0]!r}?' if near else '.'
            raise UserError(f'--cfg-options {name}: {where} has no {key!r}{hint}')
        else:
            raise UserError(f'--cfg-options {name}: {where} is {node!r} and has nothing inside.')


def places_of(key: str, node: Any, where: str) -> list[str]:
    """Where a name stands further inside a piece of a config: `train_dataloader.dataset.imbalance_ratio`."""
    items = node.items() if isinstance(node, (dict, Config)) else enumerate(node) if isinstance(node, (list, tuple)) else ()
    prefix = '' if where == 'the config' else f'{where}.'
    found = []
    for name, value in items:
        if name == key:
            found.append(f'{prefix}{name}')
        found += places_of(key, value, f'{prefix}{name}')
    return found


def constructor_arguments(type_name: str, path: str) -> set[str]:
    """Names of the arguments that the registered part at `path` takes; empty where the part is unknown."""
    kind = kind_at(path)
    try:
        return (arguments_of(getattr(registry, kind).get(type_name)) or set()) if kind else set()
    except UserError:
        return set()
