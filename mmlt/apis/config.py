"""Configs: found, read, overridden, checked; what of them decides a run's outcome, and the hash of that."""

import difflib
import hashlib
import json
import re
from pathlib import Path
from typing import Any

from mmengine.config import Config, ConfigDict

from mmlt.apis.check import LOADER_KEYS, PREREQUISITE_KEYS, arguments_of, check_shape, kind_at
from mmlt.apis.custom_code import custom_code, import_custom_code
from mmlt.engine.checkpoint import plain
from mmlt.errors import UserError

KNOWN_KEYS = {
    *('default_scope', 'model', 'train_dataloader', 'val_dataloader', 'test_dataloader', 'val_evaluator'),
    *('test_evaluator', 'train_cfg', 'val_cfg', 'test_cfg', 'optim_wrapper', 'param_scheduler', 'default_hooks'),
    *('custom_hooks', 'custom_imports', 'env_cfg', 'visualizer', 'prerequisites', 'precision', 'runner_type'),
    *('data_preprocessor', 'num_classes', 'model_wrapper_cfg', 'compile', 'log_level'),
    'find_unused_parameters',
}
# What MMEngine reads and mmlt has another way for.
ELSEWHERE = {
    'load_from': 'pretrained weights go into model.backbone (init_cfg, or checkpoint of TimmBackbone)',
    'resume': 'the command line says --resume',
    'work_dir': 'the command line says --work-dir',
    'randomness': 'the command line says --seed',
    'launcher': 'the command line says --launcher',
    'seed': 'the command line says --seed',
    'auto_scale_lr': 'the learning rate is the one in optim_wrapper.optimizer, whatever the batch',
}
# Where things lie and how they are read decides nothing.
NEUTRAL = {'data_root', 'num_workers', 'download', 'ann_root', 'img_root'}
# Hooks that every run has; what they are told changes what is shown and kept alone.
STANDARD_HOOKS = {'class_counts', 'runtime_info', 'timer', 'sampler_seed', 'logger', 'param_scheduler', 'checkpoint'}
# Top-level keys that change the last digits alone; they stand in no outcome.
ROUTE = {'compile'}


def config_roots() -> list[Path]:
    """Folders below which configs are looked for: the repository's, or the installed package's."""
    package = Path(__file__).resolve().parents[1]
    return [root for root in (package.parent / 'configs', package / 'configs') if root.is_dir()]


def find_config(config: str | Path) -> Path:
    """The config file meant by a path, or by a path below `configs`.

    Raises:
        UserError: there is none; configs of a similar name are given.
    """
    given = Path(config)
    tail = Path(*given.parts[1:]) if given.parts[:1] == ('configs',) else given
    candidates = [given, *(root / tail for root in config_roots())]
    for path in candidates:
        if path.is_file():
            return path.resolve()
    known = [str(path.relative_to(root)) for root in config_roots() for path in root.glob('[!_]*/*.py')]
    near = difflib.get_close_matches(str(tail), known, n=3, cutoff=0.5)
    hint = f'; the nearest are configs/{", configs/".join(near)}' if near else ''
    raise UserError(f'there is no config {config}{hint}.')


def find_beside(path: Path, config: str) -> Path:
    """The config that `path`, or a base of it, names as `config`: seen from the folder of the file that names it.

    Raises:
        UserError: there is none, below `configs` neither.
    """

    def seen_from(file: Path) -> Path | None:
        if (local := file.parent / config).is_file():
            return local.resolve()
        bases = (Path(Config._get_cfg_path(base, str(file))[0]) for base in Config._get_base_files(str(file)))
        return next((found for base in bases if (found := seen_from(base))), None)

    return seen_from(path) or find_config(config)


def config_name(path: Path) -> str:
    """Path below `configs` without `.py` (`bkd/resnet32_cifar100lt`); the bare file name elsewhere."""
    for root in config_roots():
        if path.is_relative_to(root):
            return str(path.relative_to(root).with_suffix(''))
    return path.stem


def load_config(config: str | Path, overrides: dict[str, Any] | None = None) -> Config:
    """Read a config with its bases and apply overrides to paths that exist.

    Raises:
        UserError: no such file, Python that does not run, an unknown top-level key, an override that leads nowhere.
    """
    path = find_config(config)
    try:
        cfg = Config.fromfile(path, import_custom_modules=False, format_python_code=False)
    except Exception as error:
        raise UserError(f'the config {path} cannot be read: {type(error).__name__}: {error}') from error
    import_custom_code(cfg, path)
    for key in cfg:
        if key in ELSEWHERE and cfg[key] is not None:
            raise UserError(f'{path} sets {key!r}, which mmlt does not read: {ELSEWHERE[key]}; remove it from the config.')
        near = difflib.get_close_matches(key, KNOWN_KEYS, n=1, cutoff=0.75)
        if key not in KNOWN_KEYS and near:
            raise UserError(f'{path} sets {key!r}, which nothing reads: did you mean {near[0]!r}?')
    for name in sorted(overrides or {}, key=lambda name: not name.endswith('type')):  # a new type takes new arguments
        check_override(cfg, name)
        if name in ROUTE:
            cfg.pop(name, None)  # a dict in place of True, or the other way round
        try:
            cfg.merge_from_dict({name: overrides[name]})
        except Exception as error:  # MMEngine's words for a value that cannot stand there
            raise UserError(f'--cfg-options {name}: {overrides[name]!r} cannot stand there ({error}).') from error
    check_shape(dict(cfg.items()))
    # What the data decide about the model stands beside the data: handed on here, unless the model says otherwise.
    if 'model' in cfg and 'data_preprocessor' in cfg:
        cfg.model.setdefault('data_preprocessor', cfg.data_preprocessor)
    if 'head' in cfg.get('model', {}) and 'num_classes' in cfg:
        cfg.model.head.setdefault('num_classes', cfg.num_classes)
    return cfg


def check_override(cfg: Config, name: str) -> None:
    """Refuse an override whose path does not exist, unless it names an argument of the part it points into.

    Raises:
        UserError: with the place where the path ends and the nearest key there.
    """
    node: Any = cfg
    keys = name.split('.')
    if keys[0] in ROUTE:  # its keywords are torch's
        return
    if keys[0] in ELSEWHERE:
        raise UserError(f'--cfg-options {name}: mmlt does not read {keys[0]!r}: {ELSEWHERE[keys[0]]}.')
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
                known |= LOADER_KEYS
            elif keys[0] == 'prerequisites' and depth == 2:
                known |= PREREQUISITE_KEYS
            if key in known and depth == len(keys) - 1:
                return
            near = difflib.get_close_matches(key, sorted(known), n=1, cutoff=0.4)
            hint = f'; did you mean {near[0]!r}?' if near else '.'
            raise UserError(f'--cfg-options {name}: {where} has no {key!r}{hint}')
        else:
            raise UserError(f'--cfg-options {name}: {where} is {node!r} and has nothing inside.')


def constructor_arguments(type_name: str, path: str) -> set[str]:
    """Names of the arguments that the registered part at `path` takes; empty where the part is unknown."""
    from mmlt import registry

    kind = kind_at(path)
    try:
        return (arguments_of(getattr(registry, kind).get(type_name)) or set()) if kind else set()
    except UserError:
        return set()


def without_neutral(node: Any) -> Any:
    """A plain copy of a config without the keys that decide nothing."""
    if isinstance(node, (dict, ConfigDict)):
        return {key: without_neutral(value) for key, value in node.items() if key not in NEUTRAL}
    if isinstance(node, (list, tuple)):
        return [without_neutral(value) for value in node]
    return plain(node)


def outcome_of(
    cfg: Config, fingerprint: dict, seed: int, world_size: int, prerequisites: dict[str, str], **more: Any
) -> dict:
    """Everything that decides what a run gives, as plain data.

    Args:
        cfg: the prepared config; its precision is the one used.
        fingerprint: of the training data.
        seed: the training seed.
        world_size: number of ranks.
        prerequisites: hash of each prerequisite's own outcome.
        more: further things that decide; those that are nothing do not stand in the outcome.
    """
    hooks = {name: hook for name, hook in (cfg.get('default_hooks') or {}).items() if name not in STANDARD_HOOKS and hook}
    more = dict(more, partner_sampler=cfg.train_dataloader.get('partner_sampler'), default_hooks=hooks)
    loader = cfg.train_dataloader
    return without_neutral(
        dict(
            model=cfg.model,
            data=fingerprint,
            sampler=loader.get('sampler'),
            global_batch_size=loader.batch_size * world_size,
            drop_last=loader.get('drop_last', False),
            train_cfg=cfg.train_cfg,
            optim_wrapper=cfg.optim_wrapper,
            param_scheduler=cfg.get('param_scheduler'),
            test_data=cfg.val_dataloader.dataset,
            evaluator=cfg.val_evaluator,
            custom_hooks=cfg.get('custom_hooks'),
            precision=cfg.precision,
            seed=seed,
            prerequisites=prerequisites,
            **{name: value for name, value in dict(more, custom_code=custom_code(cfg)).items() if value},
        )
    )


def hash_of(value: Any) -> str:
    """SHA-256 of plain data, independent of the order of keys."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def overrides_hash(overrides: dict[str, Any]) -> str:
    """Eight digits for a folder's name, or nothing where no override changes the outcome."""
    relevant = {name: plain(value) for name, value in overrides.items() if not is_neutral(name)}
    return hash_of(relevant)[:8] if relevant else ''


def is_neutral(name: str) -> bool:
    """Whether the override of this name changes no outcome."""
    keys = name.split('.')
    return keys[-1] in NEUTRAL or keys[0] in ROUTE


def handed_on(overrides: dict[str, Any]) -> dict[str, Any]:
    """The overrides that hold for a prerequisite too: of the data, and of the way it is computed."""
    data = r'(train|val|test)_dataloader\.(dataset\.|num_workers)|data_preprocessor\.(mean|std)'
    pattern = re.compile(data + r'|compile(\.|$)')
    return {name: value for name, value in overrides.items() if pattern.match(name)}
