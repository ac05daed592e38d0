"""What users of MMEngine and mmpretrain write, in mmlt's words; what cannot be meant is refused with what to write."""

import ast
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.utils import get_installed_path

from mmlt import registry
from mmlt.config.check import kind_at
from mmlt.config.find import bases_of
from mmlt.errors import UserError

# Parts that run otherwise than mmlt does, by the end of their name, and what to write.
INSTEAD = {
    'ImageClassifier': "type='LongTailedClassifier' with the same backbone and neck, "
    "head=dict(_delete_=True, type='LinearHead') and loss=dict(...) beside the head",
    'IterBasedTrainLoop': "dict(type='EpochTrainLoop', max_epochs=...): runs are counted in epochs",
    'EpochBasedTrainLoop': "dict(type='EpochTrainLoop', max_epochs=...)",
    'ValLoop': "dict(type='EvalLoop')",
    'TestLoop': "dict(type='EvalLoop')",
    'AmpOptimWrapper': "type='PrecisionOptimWrapper' and precision='bf16' (or --amp)",
    'RepeatDataset': 'the data set itself, and for longer epochs '
    "train_dataloader.sampler=dict(type='ShuffleSampler', num_samples=...): class counts must count each image once",
    'ClassBalancedDataset': "the data set itself, and train_dataloader.sampler=dict(type='RepeatFactorSampler', "
    'threshold=<oversample_thr>): class counts must count each image once',
}
UNTYPED = dict(train_cfg='EpochTrainLoop', val_cfg='EvalLoop', test_cfg='EvalLoop', optim_wrapper='PrecisionOptimWrapper')
LOADER = {
    'persistent_workers': 'workers are started for each epoch',
    'pin_memory': 'batches are pinned where there is a GPU',
    'collate_fn': 'images and labels are stacked by the loader',
    'batch_sampler': 'write sampler, and drop_last if need be',
    'prefetch_factor': "torch's default stands",
}
PREPROCESSOR_KEYS = {'type', 'num_classes', 'mean', 'std', 'to_rgb'}


def refuse_read_base(path: Path) -> None:
    """Refuse a config in MMEngine's pure Python style, in which bases and types are imported.

    Raises:
        UserError: naming the file and the other style.
    """
    try:
        nodes = list(ast.walk(ast.parse(path.read_text(encoding='utf-8')))) if path.suffix == '.py' else []
    except SyntaxError:  # told by MMEngine, with its place
        return
    if any(isinstance(node, ast.With) and 'read_base' in ast.unparse(node.items[0]) for node in nodes):
        raise UserError(
            f"{path} takes its bases by `with read_base()`, which mmlt does not read: write _base_ = ['...'] with paths, and "
            'types as names in quotes.'
        )


def names_read(path: Path) -> set[str]:
    """Names of top-level variables that a config or one of its bases reads itself: helpers, no settings."""
    if path.suffix != '.py':
        return set()
    text = path.read_text(encoding='utf-8')
    nodes = list(ast.walk(ast.parse(text)))
    read = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    read |= {node.attr for node in nodes if isinstance(node, ast.Attribute)} | set(re.findall(r'_base_\.(\w+)', text))
    return read.union(*(names_read(base) for base in [*bases_of(path), *map(installed, package_bases(path))]))


def package_bases(path: Path) -> list[str]:
    """The bases that a config takes from an installed package (`mmpretrain::_base_/models/resnet18_cifar.py`)."""
    return bases_of(path, packages=True)


def installed(base: str) -> Path:
    """The file of such a base."""
    package, _, config = base.partition('::')
    return Path(get_installed_path(package)) / '.mim' / 'configs' / config


def resolve_packages(cfg: Config, path: Path) -> None:
    """Write the types that stand in a package's own config as that package's (`mmpretrain.ResNet_CIFAR`), in place.

    By themselves they would be looked up in mmlt, where another part may have the name.
    """
    for base in bases_of(path):
        resolve_packages(cfg, base)
    for base in package_bases(path):
        scope = base.partition('::')[0]
        foreign = Config.fromfile(installed(base), import_custom_modules=False)
        for key in foreign:
            if key in cfg:
                _prefix(cfg[key], foreign[key], scope, key)
    _drop_scopes(dict(cfg.items()))


def _prefix(node: Any, foreign: Any, scope: str, path: str) -> None:
    if isinstance(node, (list, tuple)) and isinstance(foreign, (list, tuple)):
        for place, pair in enumerate(zip(node, foreign, strict=False)):
            _prefix(*pair, scope, f'{path}.{place}')
    if not isinstance(node, dict) or not isinstance(foreign, dict):
        return
    name, kind = node.get('type'), kind_at(path)
    if isinstance(name, str) and name == foreign.get('type') and kind:
        if getattr(registry, kind).is_of(scope, name):
            node['type'] = f'{scope}.{name}'
    for key in node.keys() & foreign.keys():
        _prefix(node[key], foreign[key], scope, f'{path}.{key}')


def _drop_scopes(node: Any) -> None:
    for item in node.values() if isinstance(node, dict) else node if isinstance(node, (list, tuple)) else ():
        _drop_scopes(item)
    if isinstance(node, dict):
        node.pop('_scope_', None)


def in_own_words(cfg: Config) -> None:
    """Write what MMEngine leaves to defaults, and mmpretrain's preprocessor, as mmlt's parts, in place.

    Raises:
        UserError: a setting of that preprocessor that means more than a normalisation.
    """
    if cfg.get('default_scope') in (None, 'mmengine', 'mmpretrain'):
        cfg.default_scope = 'mmlt'
    for key, own in UNTYPED.items():
        part = cfg.get(key)
        if isinstance(part, dict) and (key == 'optim_wrapper' and part.get('type') == 'OptimWrapper' or 'type' not in part):
            if part.pop('by_epoch', True) is False:
                raise UserError(f'{key}: write {INSTEAD["IterBasedTrainLoop"]}.')
            part['type'] = own
    given = cfg.get('data_preprocessor')
    if not isinstance(given, dict) or not str(given.get('type', 'ClsDataPreprocessor')).endswith('ClsDataPreprocessor'):
        return
    for key in given:
        if key not in PREPROCESSOR_KEYS:
            more = "write model.mixing=dict(type='Mixup')" if key == 'batch_augments' else 'leave it out'
            raise UserError(f"data_preprocessor.{key} is one of mmpretrain's settings that mmlt has not: {more}.")
    if given.get('to_rgb') is False and 'LoadImageFromFile' in str(cfg.get('train_dataloader')):
        raise UserError(
            'data_preprocessor.to_rgb=False: images read from files are RGB in mmlt; give mean and std in that order, and '
            'leave to_rgb out.'
        )
    own = {key: [value / 255 for value in given[key]] for key in ('mean', 'std') if key in given}  # of pixels up to 255
    more = {key: given[key] for key in ('num_classes',) if key in given}
    cfg.data_preprocessor = dict(type='BatchPreprocessor', **own, **more)


def check_neighbours(node: Any, path: str = '') -> None:
    """Refuse parts of MMEngine and mmpretrain that cannot work here.

    Args:
        node: a config, or a piece of one.
        path: where it stands.

    Raises:
        UserError: with the place and what to write instead.
    """
    if isinstance(node, (list, tuple)):
        for place, item in enumerate(node):
            check_neighbours(item, f'{path}.{place}')
    if not isinstance(node, Mapping):
        return
    kind, name = node.get('type'), str(node.get('type')).rpartition('.')[2]
    if isinstance(kind, str) and name in INSTEAD and kind.rpartition('.')[0] in ('', 'mmengine', 'mmpretrain'):
        raise UserError(f'{path}: {kind} is not what runs here: write {INSTEAD[name]}.')
    if name == 'VisualizationHook' and node.get('enable'):
        raise UserError(f'{path}: mmpretrain draws its own batches only: leave it out, and see tools/browse_dataset.py.')
    if path.endswith('_dataloader'):
        for key in LOADER.keys() & node.keys():
            raise UserError(f'{path} takes no {key!r}: {LOADER[key]}; remove it ({key}=None over a _base_ that sets it).')
    for key, value in node.items():
        check_neighbours(value, f'{path}.{key}' if path else str(key))
