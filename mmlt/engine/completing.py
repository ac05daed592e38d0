"""What a config leaves open of a model, written into it: sizes that its backbone and its data know."""

from collections.abc import Callable

import torch
from mmengine.config import Config

from mmlt.config.check import arguments_of
from mmlt.engine.building import building
from mmlt.models.backbones.pooling import feature_channels
from mmlt.registry import MODELS


def complete_model(cfg: Config, num_classes: Callable[[], int]) -> None:
    """Write into the config what the model would ask of its backbone, the `in_channels` of its head and its projector, and
    what it would ask of the data, the head's `num_classes`."""
    if (head := cfg.model.get('head')) and 'num_classes' not in head and takes(head, 'num_classes'):
        head.num_classes = num_classes()
    tell_backbone(cfg)
    parts = [cfg.model[key] for key in ('head', 'projector') if 'in_channels' not in (cfg.model.get(key) or {'in_channels': 0})]
    if not parts or 'backbone' not in cfg.model:
        return
    with building('model.backbone'), torch.random.fork_rng(devices=[]):
        network = [MODELS.build(cfg.model[key]) if cfg.model.get(key) else None for key in ('backbone', 'neck')]
        channels = feature_channels(*network)
    for part in parts:
        if takes(part, 'in_channels'):
            part.in_channels = channels


def tell_backbone(cfg: Config) -> None:
    """Tell a `TunedViT` its head's number of classes, which decides the width of what it adds."""
    backbone, head = cfg.model.get('backbone') or {}, cfg.model.get('head') or {}
    if backbone.get('type') == 'TunedViT' and 'num_classes' in head:
        backbone.setdefault('num_classes', head.num_classes)


def takes(part: dict, argument: str) -> bool:
    """Whether the part of a config takes an argument; one that names no type is its method's own, which does."""
    return 'type' not in part or argument in (arguments_of(MODELS.get(part['type'])) or ())
