"""Foreign ResNet weights into a checkpoint of mmlt."""

import re
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from mmlt.config.find import find_config
from mmlt.config.load import load_config
from mmlt.datasets.mmpretrain_dataset import build_dataset
from mmlt.datasets.official import official_labels
from mmlt.datasets.subset import SubsetRule
from mmlt.engine.checkpoint import save_checkpoint
from mmlt.errors import UserError
from mmlt.files import sha256_of
from mmlt.models.weights import load_weights, read_weights
from mmlt.plain import plain
from mmlt.registry import DATASETS, MODELS

HEAD = re.compile(r'(?:linear|fc|classifier|head)\.(weight|bias)')


def convert(
    source: str | Path,
    out: str | Path,
    config: str | Path,
    overrides: dict[str, Any] | None = None,
    train_counts: list[int] | None = None,
) -> dict:
    """Write the weights in `source` as a checkpoint of `config`'s model.

    Names are those of the ResNets for small images that long-tailed repositories share: `conv1`, `bn1`,
    `layer1.0.conv1`, ... and `linear`, `fc`, `classifier` or `head` for the classifier. Weights without a bias of the
    classifier give a head without one.

    Args:
        source: an .npz file of arrays by name, or a .pth file of tensors (opened weights-only).
        out: the checkpoint to write.
        config: the config whose model it is.
        overrides: config overrides.
        train_counts: training images of each class; by default those of the config's training set.

    Returns:
        The checkpoint's meta.

    Raises:
        UserError: the file is unreadable or holds more than plain data, or the weights are another architecture's.
    """
    path = find_config(config)
    cfg = load_config(path, overrides)
    weights = rename(read_weights(Path(source)), source)
    if 'head.bias' not in weights and cfg.model.head.type == 'LinearHead' and 'bias' not in cfg.model.head:
        cfg.model.head.bias = False
    model = MODELS.build(cfg.model)
    own = model.state_dict()
    wanted = own.get('head.weight')
    if cfg.model.head.type == 'CosineHead' and weights['head.weight'].shape == wanted.shape[::-1] != wanted.shape:
        weights['head.weight'] = weights['head.weight'].t().contiguous()  # LDAM's NormedLinear keeps (C, K)
    for name, value in own.items():  # what no foreign file knows, and a counter that old versions of torch lack
        if not name.startswith(('backbone.', 'head.')) or name.endswith('num_batches_tracked'):
            weights.setdefault(name, value)
    classes, counts = training_classes(cfg.train_dataloader.dataset)
    counts = train_counts or counts
    if counts is None:
        raise UserError(f'the training data of {path.name} are not there to be counted: give --train-counts.')
    model.set_class_counts(counts)
    weights['class_counts'] = model.class_counts
    load_weights(model, weights, source)
    meta = dict(
        epoch=None,  # unknown
        classes=list(classes) if classes else None,  # else unknown too
        class_counts=counts,
        model=plain(cfg.model.to_dict()),
        precision='fp32',
        converted=dict(file=Path(source).name, sha256=sha256_of(source)),
    )
    save_checkpoint(out, dict(state_dict=dict(model.state_dict()), meta=meta))
    return meta


def rename(weights: dict[str, Tensor], source: str | Path) -> dict[str, Tensor]:
    """Foreign names to mmlt's: `module.layer1...` to `backbone.layer1...`, `classifier.weight` to `head.weight`.

    Raises:
        UserError: there is no classifier, or more than one.
    """
    renamed: dict[str, Tensor] = {}
    for foreign, value in weights.items():
        name = foreign.removeprefix('module.')
        match = HEAD.fullmatch(name)
        own = f'head.{match[1]}' if match else f'backbone.{name}'
        if own in renamed:
            raise UserError(f'{source} holds more than one classifier ({foreign} is the second): keep one.')
        renamed[own] = value
    if 'head.weight' not in renamed:
        raise UserError(f'{source} holds no classifier called linear, fc, classifier or head.')
    return renamed


def training_classes(cfg: dict) -> tuple[tuple[str, ...] | None, list[int] | None]:
    """Names and training counts of the classes, from the data or, where those are absent, the official labels.

    Args:
        cfg: config of a training data set.

    Returns:
        Each is None where nothing is known of it.
    """
    cfg = dict(cfg)
    inner = dict(cfg['dataset']) if cfg['type'] == 'LongTailedDataset' else cfg
    part = DATASETS.get(inner['type'])
    if inner['type'] in ('CIFAR10', 'CIFAR100'):
        inner['download'] = False
    try:
        dataset = build_dataset({**cfg, 'dataset': inner} if cfg['type'] == 'LongTailedDataset' else inner)
        return tuple(dataset.metainfo['classes']), list(dataset.metainfo['class_counts'])
    except UserError:
        classes, name = getattr(part, 'classes', None), getattr(part, 'name', None)
    labels = official_labels(name) if isinstance(name, str) else None
    if labels is None or classes is None:
        return classes, None
    if cfg['type'] == 'LongTailedDataset':
        rule = SubsetRule(**{key: value for key, value in cfg.items() if key not in ('type', 'dataset')})
        labels = labels[rule.draw(labels, len(classes), name)]
    return tuple(classes), np.bincount(labels, minlength=len(classes)).tolist()
