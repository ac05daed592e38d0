"""Every part that a config names is known and takes the arguments given to it: checked before anything is built."""

import difflib
import inspect
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

from mmlt import registry
from mmlt.arguments import number
from mmlt.config.old_keys import OLD_KEYS
from mmlt.errors import UserError, quoted

# What several places need and the config states once, at its top: the text '{data_root}' stands for it.
FACTS = ('data_root', 'image_size')
KNOWN_KEYS = {
    *('default_scope', 'model', 'train_dataloader', 'val_dataloader', 'test_dataloader', 'val_evaluator'),
    *('test_evaluator', 'train_cfg', 'val_cfg', 'test_cfg', 'optim_wrapper', 'param_scheduler', 'default_hooks'),
    *('custom_hooks', 'custom_imports', 'env_cfg', 'visualizer', 'prerequisites', 'precision', 'runner_type'),
    *('data_preprocessor', 'num_classes', 'model_wrapper_cfg', 'compile', 'log_level'),
    *('find_unused_parameters', 'load_from', 'auto_scale_lr', 'log_processor', 'holdout'),
    *('sync_bn', 'static_graph', 'aggregation'),
    *FACTS,
}
# What MMEngine reads and mmlt has another way for.
ELSEWHERE = {
    'resume': 'the command line says --resume',
    'work_dir': 'the command line says --work-dir',
    'randomness': 'the command line says --seed',
    'launcher': 'the command line says --launcher',
    'seed': 'the command line says --seed',
    # MMEngine computes the part again by torch's older way, which gives weights before the first gradient none (images need
    # none, so a whole backbone stays as it was), and batch normalisation counts each batch twice.
    'activation_checkpointing': 'a smaller train_dataloader.batch_size with optim_wrapper.accumulative_counts needs less '
    "memory, and so does precision='bf16'",
}
# Values of these that ask for nothing.
SILENT = {'resume': [False], 'launcher': ['none'], 'randomness': [dict(seed=None, deterministic=False), dict(seed=None)]}
# Which registry a part belongs to: by the nearest of these keys on the way to it.
KINDS = {
    'model': 'MODELS',
    'data_preprocessor': 'MODELS',
    'dataset': 'DATASETS',
    'sampler': 'DATA_SAMPLERS',
    'partner_sampler': 'DATA_SAMPLERS',
    'train_transforms': 'TRANSFORMS',
    'test_transforms': 'TRANSFORMS',
    'extra_views': 'TRANSFORMS',
    'pipeline': 'TRANSFORMS',
    'val_evaluator': 'METRICS',
    'test_evaluator': 'METRICS',
    'train_cfg': 'LOOPS',
    'val_cfg': 'LOOPS',
    'test_cfg': 'LOOPS',
    'optim_wrapper': 'OPTIM_WRAPPERS',
    'optimizer': 'OPTIMIZERS',
    'param_scheduler': 'PARAM_SCHEDULERS',
    'visualizer': 'VISUALIZERS',
    'vis_backends': 'VISBACKENDS',
}
# Keys that are read before the part is built.
BESIDE = {
    'OPTIM_WRAPPERS': {'constructor', 'paramwise_cfg'},
    'PARAM_SCHEDULERS': {'convert_to_iter_based'},
    'HOOKS': {'priority'},
}


def kind_at(path: str) -> str | None:
    """The registry's name for a part at `path` (`model.backbone`, `param_scheduler.0`); None where no part stands."""
    keys = path.split('.')
    if keys[0] in ('default_hooks', 'custom_hooks'):  # a hook may be called param_scheduler
        return 'HOOKS'
    return next((KINDS[key] for key in reversed(keys) if key in KINDS), None)


# What the tables below hold must be a table: a part, or parts by name.
TABLES = ('model', 'data_preprocessor', 'train_dataloader', 'val_dataloader', 'test_dataloader', 'train_cfg', 'val_cfg')
TABLES += ('test_cfg', 'val_evaluator', 'test_evaluator', 'optim_wrapper', 'default_hooks', 'prerequisites', 'env_cfg')
TABLES += ('aggregation',)
# Keys of loaders and prerequisites. These dicts have no `type`, so a misspelt key is noticed here only.
LOADER_KEYS = {'batch_size', 'dataset', 'sampler', 'partner_sampler', 'num_workers', 'drop_last'}
TRAINING_KEYS = {'classes', 'global_batch_size'}  # of the training loader alone; evaluated is on the classes trained on
PREREQUISITE_KEYS = {'config', 'checkpoint', 'classes', 'parts', 'seed_offset'}
INNER_TABLES = {
    'train_dataloader': ('dataset',),
    'val_dataloader': ('dataset',),
    'optim_wrapper': ('optimizer',),
    'model': ('backbone', 'head'),
}


def check_keys(cfg: Mapping[str, Any], path: Path, helpers: set[str] = frozenset()) -> None:
    """Refuse top-level keys that nothing reads, and those that mmlt has another way for.

    Args:
        cfg: the config.
        path: its file.
        helpers: names that the config's own files read: variables for use in other keys.

    Raises:
        UserError: with the key, and what to write instead.
    """
    for key in cfg:
        if key in ELSEWHERE and cfg[key] is not None and cfg[key] not in SILENT.get(key, []):
            raise UserError(f'{path} sets {key!r}, which mmlt does not read: {ELSEWHERE[key]}; remove it from the config.')
        if key in KNOWN_KEYS or key in ELSEWHERE or key in helpers:
            continue
        if key in OLD_KEYS:
            raise UserError(f"{path} sets {key!r}, a key of OpenMMLab's configs before MMEngine: today's is {OLD_KEYS[key]}.")
        near = difflib.get_close_matches(key, KNOWN_KEYS, n=1, cutoff=0.75)
        hint = f'did you mean {near[0]!r}?' if near else f'the keys are {", ".join(sorted(KNOWN_KEYS))}.'
        raise UserError(f'{path} sets {key!r}, which nothing reads: {hint}')


def check_shape(cfg: dict) -> None:
    """Refuse a number or a text where a part must stand, and batch sizes that are none.

    Raises:
        UserError: with the place and what stands there.
    """
    for key in TABLES:
        value = cfg.get(key)
        if value is not None and not isinstance(value, dict):
            if key.endswith('_evaluator') and isinstance(value, (list, tuple)):
                continue
            raise UserError(f'{key} is {quoted(value)}, but must be a dict: override what stands inside it ({key}.NAME=VALUE).')
        for inner in INNER_TABLES.get(key, ()):
            if inner in (value or {}) and not isinstance(value[inner], dict):
                raise UserError(
                    f'{key}.{inner} is {quoted(value[inner])}, but must be a dict: override what stands inside it '
                    f'({key}.{inner}.NAME=VALUE).'
                )
        if key.endswith('_dataloader') and value:
            refuse_others(key, value, LOADER_KEYS | (TRAINING_KEYS if key == 'train_dataloader' else set()))
            for name, least in (('batch_size', 1), ('num_workers', 0), ('global_batch_size', 1)):
                given = value.get(name, least)
                if type(given) is not int or given < least:
                    raise UserError(f'{key}.{name} must be a whole number from {least}, not {quoted(given)}.')
    for role, needed in prerequisites_of(cfg):
        if not isinstance(needed, dict) or not any(isinstance(needed.get(key), str) for key in ('config', 'checkpoint')):
            raise UserError(f'prerequisites.{role} must name a config or a checkpoint, not {quoted(needed)}.')
        refuse_others(f'prerequisites.{role}', needed, PREREQUISITE_KEYS)
        number(f'prerequisites.{role}', 'seed_offset', needed.get('seed_offset', 0), least=0, whole=True)
        for name in ('classes', 'parts'):
            if not isinstance(needed.get(name, []), (list, tuple)):
                raise UserError(f'prerequisites.{role}.{name} must be a list, not {needed[name]!r}.')


def prerequisites_of(cfg: dict) -> list[tuple[str, Any]]:
    """Each prerequisite with its place: `teacher`, or `teacher.0` and so on where a role has several."""
    found = []
    for role, needed in (cfg.get('prerequisites') or {}).items():
        if not isinstance(needed, (list, tuple)):
            found.append((role, needed))
            continue
        if not needed:
            raise UserError(f'prerequisites.{role} is an empty list: name a config or a checkpoint, or leave it out.')
        found += [(f'{role}.{place}', one) for place, one in enumerate(needed)]
    return found


def refuse_others(path: str, given: dict, known: set[str]) -> None:
    """Refuse keys that nothing reads.

    Raises:
        UserError: with the place, the key, and the nearest known one or all of them.
    """
    for key in given:
        if key not in known:
            near = difflib.get_close_matches(key, sorted(known), n=1, cutoff=0.6)
            hint = f'did you mean {near[0]!r}?' if near else f'it takes {", ".join(sorted(known))}.'
            raise UserError(f'{path} takes no {key!r}; {hint}')


def arguments_of(part: Callable) -> set[str] | None:
    """Names of the arguments that a part takes; None where it takes any, or its signature cannot be read.

    What a class takes as `**others` its base takes: the bases' arguments are added, up to one that lists all of its own,
    but for those that the class settles itself (its attribute `settled`).
    """
    constructors = [base.__init__ for base in part.__mro__ if '__init__' in vars(base)] if isinstance(part, type) else [part]
    names: set[str] = set()
    for constructor in constructors:
        try:
            parameters = inspect.signature(constructor).parameters
        except (TypeError, ValueError):
            return None
        others = {name for name, parameter in parameters.items() if parameter.kind is parameter.VAR_KEYWORD}
        names |= set(parameters) - others
        if not others:
            return names - {'self'} - set(getattr(part, 'settled', ()))
    return None


def parts_with(kind: str, argument: str) -> list[str]:
    """Names of mmlt's and MMEngine's parts of a kind that take an argument."""
    known = {**getattr(registry, kind).parent.module_dict, **getattr(registry, kind).module_dict}
    return sorted(name for name, part in known.items() if argument in (arguments_of(part) or ()))


def check_kinds(path: str, node: Mapping[str, Any], part: type) -> None:
    """Refuse a text where a part of mmlt takes a switch or a list, and anything but a text where it takes a text.

    Numbers are left to the part, which knows their range.

    Args:
        path: where the part stands in the config.
        node: its config.
        part: its class, whose constructors' annotations say what they take.

    Raises:
        UserError: with the place and the value.
    """
    hints: dict[str, Any] = {}
    for base in reversed(part.__mro__):
        if '__init__' in vars(base) and base.__module__.startswith('mmlt.'):
            with suppress(Exception):  # an annotation that names what is imported for type checkers alone
                hints |= get_type_hints(base.__init__)
    for key, value in node.items():
        options = get_args(hints.get(key)) if isinstance(hints.get(key), UnionType) else (hints.get(key),)
        kinds = {get_origin(option) or option for option in options}
        if type(value) in kinds or not kinds <= {bool, str, type(None), list, tuple, Sequence}:
            continue
        lists = bool(kinds & {list, tuple, Sequence})
        if value is None and type(None) in kinds or lists and isinstance(value, (list, tuple)):
            continue
        wanted = ['True or False'] * (bool in kinds) + ['a text'] * (str in kinds) + ['a list'] * lists
        raise UserError(f'{path}.{key} must be {" or ".join(wanted)}, not {quoted(value)}.')


def check_parts(node: Any, path: str = '') -> None:
    """Refuse a type that nobody registered and an argument that nothing takes.

    Parts of other packages are checked themselves, what stands inside them is theirs.

    Args:
        node: a config, or a piece of one.
        path: where it stands.

    Raises:
        UserError: with the place in the config, the name, and the nearest known names.
    """
    if isinstance(node, (list, tuple)):
        for place, item in enumerate(node):
            check_parts(item, f'{path}.{place}')
    if not isinstance(node, dict) or '_scope_' in node:
        return
    kind = kind_at(path)
    if isinstance(node.get('type'), str) and kind:
        try:
            part = getattr(registry, kind).get(node['type'])
        except UserError as error:
            raise UserError(f'{path}: {error}') from error
        known = arguments_of(part)
        for key in node if known is not None else ():
            if key not in known | BESIDE.get(kind, set()) | {'type'}:
                near = difflib.get_close_matches(key, sorted(known), n=1, cutoff=0.4)
                hint = f'did you mean {near[0]!r}?' if near else 'remove it from the config.'
                if others := parts_with(kind, key):  # left over from a part that this one replaced
                    named = f'{", ".join(others[:3])}{" and others" if len(others) > 3 else ""}'
                    hint = f'it is one of {named}: if a _base_ config sets it, write _delete_=True beside the new type.'
                raise UserError(f'{path}: {node["type"]} takes no argument {key!r}; {hint}')
        if not part.__module__.startswith('mmlt.'):
            return
        check_kinds(path, node, part)
    for key, value in node.items():
        if key not in ('init_cfg', 'prerequisites'):
            check_parts(value, f'{path}.{key}' if path else str(key))
