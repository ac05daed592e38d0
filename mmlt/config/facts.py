"""Facts that a config states once: '{data_root}' and '{image_size}' in its parts stand for the top-level keys of these names,
and the mean and deviation that a network of timm was trained with are timm's to say.
"""

from typing import Any

from mmengine.config import Config

from mmlt.config.check import FACTS
from mmlt.errors import UserError


def fill_facts(cfg: Config) -> None:
    """Put the facts into every place that names them.

    Args:
        cfg: the config, its overrides merged in: a user sets `data_root='my/photos'` and all of its data sets follow.

    Raises:
        UserError: a place names a fact that the config does not state.
    """
    for key in list(cfg.keys()):
        if key not in FACTS:
            filled = _filled(cfg[key], cfg, key)
            if filled is not cfg[key]:
                cfg[key] = filled


def _filled(node: Any, cfg: Config, where: str) -> Any:
    if isinstance(node, str):
        for name in FACTS:
            if f'{{{name}}}' in node:
                if name not in cfg:
                    raise UserError(f"{where} is {node!r}, but the config does not say {name}: set {name}=... at its top.")
                node = cfg[name] if node == f'{{{name}}}' else node.replace(f'{{{name}}}', str(cfg[name]))
                if not isinstance(node, str):
                    return node
        return node
    if isinstance(node, (dict, list)):
        for key, value in node.items() if isinstance(node, dict) else enumerate(node):
            filled = _filled(value, cfg, f'{where}.{key}')
            if filled is not value:
                node[key] = filled
    return node


def fill_normalisation(cfg: Config) -> None:
    """Where a preprocessor has no mean and no std, those that the model's timm backbone was pretrained with.

    Args:
        cfg: the config; its model has its preprocessor by now.
    """
    preprocessor = (cfg.get('model') or {}).get('data_preprocessor') or {}
    backbone = (cfg.get('model') or {}).get('backbone') or {}
    if preprocessor.get('type') != 'BatchPreprocessor' or 'mean' in preprocessor or 'std' in preprocessor:
        return
    if str(backbone.get('type')).split('.')[-1] not in ('TimmBackbone', 'TunedViT'):
        return
    import timm  # takes a second

    published = timm.get_pretrained_cfg(backbone.get('model_name', ''))
    if published is not None:
        preprocessor.mean, preprocessor.std = list(published.mean), list(published.std)
