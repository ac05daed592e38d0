"""Values of a config that nothing else would refuse before hours of training, or ever."""

import logging
import multiprocessing
from collections.abc import Mapping, Sequence
from typing import Any

from mmlt.arguments import number
from mmlt.config.check import refuse_others
from mmlt.errors import UserError, quoted

REQUIRED = ('model', 'train_dataloader', 'val_dataloader', 'val_evaluator', 'train_cfg', 'optim_wrapper')
BOOLEANS = (
    'train_dataloader.drop_last',
    'val_dataloader.drop_last',
    'test_dataloader.drop_last',
    'find_unused_parameters',
    'holdout',
    'static_graph',
    'model.data_preprocessor.channels_last',
)
COUNTS = {
    'num_classes': 1,
    'model.head.num_classes': 1,
    'model.head.in_channels': 1,
    'train_cfg.max_epochs': 1,
    'train_cfg.val_interval': 1,
    'optim_wrapper.accumulative_counts': 1,
}
TEXTS = ('precision', 'default_scope')
# A part, or nothing; and lists of parts.
PARTS = ('visualizer', 'train_dataloader.sampler', 'train_dataloader.partner_sampler', 'val_dataloader.sampler')
PARTS += ('model.loss', 'model.neck', 'model.reweighting', 'model.mixing', 'model.projector', 'model.contrast')
PARTS += ('model.data_preprocessor',)
LISTS = ('custom_hooks', 'model.terms', 'model.distill_heads', 'data_preprocessor.train_transforms')
LISTS += ('data_preprocessor.test_transforms',)
RUNNERS = (None, 'LongTailedRunner')
CLIPPING = {'type', 'max_norm', 'norm_type', 'error_if_nonfinite', 'clip_value', 'foreach'}


def check_complete(cfg: Mapping, path: object) -> None:
    """Refuse a config without one of the parts that every run needs.

    Args:
        cfg: the config.
        path: its file, for the message.

    Raises:
        UserError: naming the part.
    """
    for key in REQUIRED:
        if not cfg.get(key):
            what = 'is missing' if key not in cfg else f'is {quoted(cfg[key])}'
            raise UserError(f'{path}: {key} {what}, and every run needs it: inherit it from a config of configs/ with _base_.')
    if not cfg['model'].get('data_preprocessor'):
        raise UserError(f'{path}: data_preprocessor is missing: it normalises the images, dict(mean=..., std=...) at least.')
    if cfg['train_cfg'].get('max_epochs') is None:
        raise UserError(f'{path}: train_cfg.max_epochs is missing: say how many epochs to train.')


def at(cfg: Any, name: str) -> Any:
    """What stands at `a.b.c` of a config; None where nothing does."""
    for key in name.split('.'):
        cfg = cfg.get(key) if isinstance(cfg, Mapping) else None
    return cfg


def check_values(cfg: Mapping) -> None:
    """Refuse values of the wrong type: a text is never a switch, a number or a list.

    Raises:
        UserError: with the place and the value.
    """
    for name in BOOLEANS:
        if (value := at(cfg, name)) is not None and not isinstance(value, bool):
            raise UserError(f'{name} must be True or False, not {quoted(value)}.')
    for name, least in COUNTS.items():
        if (value := at(cfg, name)) is not None:
            number('the config', name, value, least=least, whole=True)
    if cfg.get('sync_bn') not in (None, False, 'torch'):
        raise UserError(f"sync_bn must be 'torch' (torch's SyncBatchNorm) or None, not {quoted(cfg['sync_bn'])}.")
    for name in TEXTS:
        if (value := at(cfg, name)) is not None and not isinstance(value, str):
            raise UserError(f'{name} must be a text, not {quoted(value)}.')
    for name in PARTS:
        if not isinstance(value := at(cfg, name), Mapping | None):
            raise UserError(f'{name} must be a dict, not {quoted(value)}.')
    for name in LISTS:
        value = at(cfg, name)
        if value is not None and not (isinstance(value, list | tuple) and all(isinstance(one, Mapping) for one in value)):
            raise UserError(f'{name} must be a list of dicts, not {quoted(value)}.')
    for name, hook in (cfg.get('default_hooks') or {}).items():
        if not isinstance(hook, Mapping | None):
            raise UserError(f'default_hooks.{name} must be a dict, or None for no such hook, not {quoted(hook)}.')
    if cfg.get('runner_type') not in RUNNERS:
        raise UserError(f'runner_type is {quoted(cfg["runner_type"])}, but mmlt trains by its own Runner: leave it out.')
    if not isinstance(compiling := cfg.get('compile', 'auto'), bool | Mapping) and compiling != 'auto':
        raise UserError(f"compile is True, False, 'auto' or a dict for torch.compile, not {quoted(compiling)}.")
    check_log_level(cfg.get('log_level'))
    check_scaling(cfg.get('auto_scale_lr'))
    check_environment(cfg.get('env_cfg') or {})
    check_clipping(at(cfg, 'optim_wrapper.clip_grad'))
    schedules = cfg.get('param_scheduler') or []
    if not isinstance(schedules, (Mapping, Sequence)) or isinstance(schedules, str):
        raise UserError(f'param_scheduler must be a schedule or a list of them, not {quoted(schedules)}.')
    for place, schedule in enumerate([schedules] if isinstance(schedules, Mapping) else schedules):
        check_schedule(f'param_scheduler.{place}', schedule)


def check_scaling(scaling: Any) -> None:
    """Refuse keywords of the learning rate's scaling that are none.

    Raises:
        UserError: with the value.
    """
    if scaling is None:
        return
    if not isinstance(scaling, Mapping) or not isinstance(scaling.get('enable', False), bool):
        raise UserError(f'auto_scale_lr must be dict(enable=True, base_batch_size=...) or None, not {quoted(scaling)}.')
    refuse_others('auto_scale_lr', scaling, {'enable', 'base_batch_size'})
    if scaling.get('enable') or 'base_batch_size' in scaling:
        number('auto_scale_lr', 'base_batch_size', scaling.get('base_batch_size'), least=1, whole=True)


def check_environment(environment: Mapping) -> None:
    """Refuse settings of MMEngine's environment that nothing reads.

    Raises:
        UserError: with the key or the value.
    """
    refuse_others('env_cfg', environment, {'cudnn_benchmark', 'mp_cfg', 'dist_cfg', 'resource_limit'})
    for name, known in (('mp_cfg', {'mp_start_method', 'opencv_num_threads'}), ('dist_cfg', {'backend'})):
        if not isinstance(own := environment.get(name) or {}, Mapping):
            raise UserError(f'env_cfg.{name} must be a dict, not {quoted(own)}.')
        refuse_others(f'env_cfg.{name}', own, known)
    method = at(environment, 'mp_cfg.mp_start_method')
    if method not in (None, *multiprocessing.get_all_start_methods()):
        names = ', '.join(multiprocessing.get_all_start_methods())
        raise UserError(f'env_cfg.mp_cfg.mp_start_method must be one of {names}, not {quoted(method)}.')


def check_log_level(level: Any) -> None:
    """Refuse what is no level of Python's logging.

    Raises:
        UserError: with the value.
    """
    names = sorted(logging.getLevelNamesMapping(), key=logging.getLevelNamesMapping().get)
    if level is not None and (isinstance(level, bool) or not isinstance(level, int)) and level not in names:
        raise UserError(f'log_level must be one of {", ".join(names)}, not {quoted(level)}.')


def check_clipping(clip: Any) -> None:
    """Refuse keywords of gradient clipping that are none.

    Raises:
        UserError: with the value.
    """
    if clip is None:
        return
    if not isinstance(clip, Mapping):
        raise UserError(f'optim_wrapper.clip_grad must be dict(max_norm=...) or None, not {quoted(clip)}.')
    for key, value in clip.items():
        if key not in CLIPPING:
            raise UserError(f'optim_wrapper.clip_grad takes no {key!r}: it takes {", ".join(sorted(CLIPPING))}.')
        if key in ('max_norm', 'norm_type', 'clip_value') and value != float('inf'):
            number('optim_wrapper.clip_grad', key, value, above=0)


def check_schedule(where: str, schedule: Any) -> None:
    """Refuse milestones, factors and epochs of a schedule that are no numbers.

    Raises:
        UserError: with the place and the value.
    """
    if not isinstance(schedule, Mapping):
        raise UserError(f'{where} must be a schedule, a dict with its type, not {quoted(schedule)}.')
    milestones = schedule.get('milestones', [])
    if isinstance(milestones, str) or not isinstance(milestones, Sequence):
        raise UserError(f'{where}.milestones must be a list of epochs, not {quoted(milestones)}.')
    for milestone in milestones:
        number(where, 'each of its milestones', milestone, least=0, whole=True)
    for key in ('gamma', 'start_factor', 'end_factor', 'factor', 'eta_min', 'power'):
        if schedule.get(key) is not None:
            number(where, key, schedule[key])
    for key in ('begin', 'end', 'T_max', 'step_size', 'total_iters'):
        if schedule.get(key) is not None and schedule[key] != float('inf'):
            number(where, key, schedule[key], least=0)
    for key in ('by_epoch', 'convert_to_iter_based', 'verbose'):
        if not isinstance(schedule.get(key, False), bool):
            raise UserError(f'{where}.{key} must be True or False, not {quoted(schedule[key])}.')
