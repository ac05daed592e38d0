"""A config read with its bases, overridden and checked."""

from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmlt.config.check import check_keys, check_shape
from mmlt.config.custom_code import import_custom_code
from mmlt.config.facts import fill_facts, fill_normalisation
from mmlt.config.find import check_bases, find_config
from mmlt.config.holdout import apply_holdout
from mmlt.config.neighbours import (
    check_neighbours,
    in_own_words,
    names_read,
    refuse_read_base,
    resolve_packages,
)
from mmlt.config.outcome import ROUTE
from mmlt.config.overrides import check_override
from mmlt.config.values import check_values
from mmlt.errors import UserError, quoted

FIRST_DROP = 'first_drop'


def load_config(config: str | Path, overrides: dict[str, Any] | None = None) -> Config:
    """Read a config with its bases and apply overrides to paths that exist.

    Raises:
        UserError: no such file, Python that does not run, an unknown top-level key, an override that leads nowhere.
    """
    path = find_config(config)
    refuse_read_base(path)
    check_bases(path)
    try:
        cfg = Config.fromfile(path, import_custom_modules=False, format_python_code=False)
    except Exception as error:
        raise UserError(f'the config {path} cannot be read: {type(error).__name__}: {error}') from error
    import_custom_code(cfg, path)
    resolve_packages(cfg, path)
    check_keys(cfg, path, names_read(path))
    for name in sorted(overrides or {}, key=lambda name: not name.endswith('type')):  # a new type takes new arguments
        check_override(cfg, name)
        if name in ROUTE:
            cfg.pop(name, None)  # a dict in place of True, or the other way round
        try:
            cfg.merge_from_dict({name: overrides[name]})
        except Exception as error:  # MMEngine's words for a value that cannot stand there
            raise UserError(f'--cfg-options {name}: {quoted(overrides[name])} cannot stand there ({error}).') from error
    fill_facts(cfg)
    in_own_words(cfg)
    check_neighbours(dict(cfg.items()))
    check_shape(dict(cfg.items()))
    check_values(dict(cfg.items()))
    apply_holdout(cfg)
    # What the data decide about the model stands beside the data: handed on here, unless the model says otherwise.
    if 'num_classes' in (cfg.get('data_preprocessor') or {}):
        cfg.setdefault('num_classes', cfg.data_preprocessor.pop('num_classes'))
    if cfg.get('model') and 'data_preprocessor' in cfg:
        cfg.model.setdefault('data_preprocessor', cfg.data_preprocessor)
    fill_normalisation(cfg)
    some = (cfg.get('train_dataloader') or {}).get('classes')  # trained on some classes: how many these are, the data know
    if 'head' in (cfg.get('model') or {}) and 'num_classes' in cfg and not some:
        cfg.model.head.setdefault('num_classes', cfg.num_classes)
    if cfg.get('model'):
        set_first_drop(cfg.model, cfg.get('param_scheduler'))
    return cfg


def set_first_drop(node: Any, schedule: Any, where: str = 'model') -> None:
    """Put the epoch, from 0, of the first drop of the learning rate where the model's config says `'first_drop'`.

    Args:
        node: the model's config, or a piece of it.
        schedule: config of the parameter schedulers.
        where: place of the piece.

    Raises:
        UserError: the schedule has no drop.
    """
    for key, value in list(node.items() if isinstance(node, dict) else enumerate(node)):
        if isinstance(value, (dict, list)):
            set_first_drop(value, schedule, f'{where}.{key}')
        elif value == FIRST_DROP and str(key).endswith('start_epoch'):
            node[key] = first_drop(schedule, f'{where}.{key}')


def first_drop(schedule: Any, where: str) -> int:
    """The epoch, from 0, of the first drop of the learning rate.

    Args:
        schedule: config of the parameter schedulers.
        where: the place that asks for it, for the message.

    Raises:
        UserError: the schedule has no drop.
    """
    parts = schedule if isinstance(schedule, (list, tuple)) else [schedule]
    stepped = [part for part in parts if part and part.get('by_epoch', True)]
    drops = [part.get('begin', 0) + drop for part in stepped for drop in part.get('milestones', [])]
    if not drops:
        raise UserError(f'{where} is {FIRST_DROP!r}, but param_scheduler has no milestones in epochs: give a number.')
    return min(drops)
