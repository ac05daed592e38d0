"""What of a config decides a run's outcome, and the hash of that."""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

from mmengine.config import Config, ConfigDict

from mmlt.config.custom_code import custom_code
from mmlt.plain import plain

# Where things lie and how they are read decides nothing.
NEUTRAL = {'data_root', 'num_workers', 'download', 'ann_root', 'img_root', 'check', 'on_broken', 'pack', 'cache_root'}
# Hooks that every run has; what they are told changes what is shown and kept alone.
STANDARD_HOOKS = {'class_counts', 'runtime_info', 'timer', 'sampler_seed', 'logger', 'param_scheduler', 'checkpoint'}
USUAL_SELECTION = (None, 'accuracy/top1', 'greater')  # how the best epoch is chosen unless a config says otherwise
# Top-level keys that change the last digits alone; they stand in no outcome.
ROUTE = {'compile'}


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
    named = cfg.get('default_hooks') or {}
    hooks = {name: hook for name, hook in named.items() if name not in STANDARD_HOOKS and hook}
    if named.get('param_scheduler', True) is None:  # no rate ever changes
        hooks['param_scheduler'] = None
    more = dict(more, partner_sampler=cfg.train_dataloader.get('partner_sampler'), default_hooks=hooks)
    loader, checkpoint = cfg.train_dataloader, (cfg.get('default_hooks') or {}).get('checkpoint') or {}
    selection = {key: checkpoint.get(key) for key in ('save_best', 'rule') if checkpoint.get(key) not in USUAL_SELECTION}
    scaled = cfg.get('auto_scale_lr') or {}
    if cfg.get('holdout'):
        more.update(holdout=True, final_test=cfg.test_dataloader.dataset)
        if cfg.get('test_evaluator') != cfg.val_evaluator:
            more.update(final_evaluator=cfg.get('test_evaluator'))
    more.update(selection=selection, auto_scale_lr=scaled if scaled.get('enable') else None, sync_bn=cfg.get('sync_bn'))
    images, optim_wrapper = loader.batch_size * world_size, dict(cfg.optim_wrapper)
    if loader.get('global_batch_size'):  # however many ranks and steps it is made of
        images = loader.global_batch_size
        optim_wrapper.pop('accumulative_counts', None)
    return without_neutral(
        dict(
            model=cfg.model,
            data=fingerprint,
            sampler=loader.get('sampler'),
            global_batch_size=images,
            drop_last=loader.get('drop_last', False),
            train_cfg=cfg.train_cfg,
            optim_wrapper=optim_wrapper,
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


def by_content(node: Any, sums: dict[Path, str]) -> Any:
    """An outcome whose paths of files are their hashes: where a file lies decides nothing.

    Args:
        node: the outcome, or a part of it.
        sums: SHA-256 of each file that the run starts from.
    """
    if isinstance(node, dict):
        return {key: by_content(value, sums) for key, value in node.items()}
    if isinstance(node, list):
        return [by_content(value, sums) for value in node]
    return sums.get(Path(node), node) if isinstance(node, str) else node


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
    """The overrides that hold for a prerequisite too: of the data, a hold-out among them, and of the way it is computed."""
    data = r'(train|val|test)_dataloader\.(dataset\.|num_workers)|data_preprocessor\.(mean|std)'
    pattern = re.compile(data + r'|compile(\.|$)|(data_root|image_size|holdout)$')
    return {name: value for name, value in overrides.items() if pattern.match(name)}
