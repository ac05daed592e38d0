"""`holdout = True`: part of the training images is set aside, and all that is chosen is chosen on it, not on the test set."""

import copy
from typing import Any

from mmengine.config import Config

from mmlt import registry
from mmlt.config.check import arguments_of
from mmlt.errors import UserError

# How an image is looked at: the part set aside is looked at as a test image is.
VIEW = ('crop', 'crop_seed', 'crop_area', 'resize', 'image_size', 'max_value', 'pipeline')
READING = ('backend', 'pack', 'check', 'on_broken', 'cache_root', 'download')


def apply_holdout(cfg: Config) -> None:
    """Where a config says `holdout = True`, train without the part set aside and evaluate on it while training.

    A validation set of its own, other than the test set, stays what is chosen on, and all training images are trained on.
    `LongTailedDataset` sets aside by its protocol `cao-holdout`, data sets with an argument `holdout` by that, and any other
    set by the protocol `cao-holdout` of all its images. The test set is left for the end, see `mmlt.apis.final_test`.

    Args:
        cfg: the config, changed in place.

    Raises:
        UserError: the training set sets nothing aside, or there is no test set.
    """
    if not cfg.get('holdout'):
        return
    train, test = ((cfg.get(f'{kind}_dataloader') or {}).get('dataset') for kind in ('train', 'test'))
    if not isinstance(train, dict) or not isinstance(test, dict):
        raise UserError('holdout=True needs train_dataloader.dataset and test_dataloader.dataset: name both.')
    if _module(train).startswith('mmlt.detection'):
        raise UserError('holdout=True sets images of a class aside, and a detector learns of boxes: give it a val_dataloader.')
    evaluated = cfg.val_dataloader.dataset
    if _images(evaluated) != _images(test):  # one's own validation set
        return
    cfg.train_dataloader.dataset, cfg.val_dataloader.dataset = parts(train, evaluated)


def parts(train: dict, test: dict) -> tuple[dict, dict]:
    """Configs of what is trained on and of what is set aside.

    Args:
        train: config of the training set.
        test: config of the test set, which says how an image is looked at.

    Raises:
        UserError: it is set aside from by another protocol, or already a part.
    """
    train = unwrapped(train)
    if _takes_holdout(train):
        common = {**(train.get('holdout') or {})}
        if common.pop('part', 'train') != 'train':
            raise UserError("holdout=True: train_dataloader.dataset.holdout names the part 'holdout', which is not trained on.")
        kept, aside = ({**train, 'holdout': dict(part=part, **common)} for part in ('train', 'holdout'))
        return kept, _looked_at_as(aside, test)
    if train.get('type') != 'LongTailedDataset':
        train = dict(type='LongTailedDataset', dataset=train, profile='natural')
    if train.get('protocol', 'cao') == 'first' or train.get('split', 'train') != 'train':
        raise UserError(
            "holdout=True sets images aside by protocol='cao-holdout': set train_dataloader.dataset.protocol to 'cao', and "
            'leave split out.'
        )
    kept, aside = ({**train, 'protocol': 'cao-holdout', 'split': part} for part in ('train', 'holdout'))
    kept.pop('split')
    if isinstance(aside['dataset'], dict):
        aside['dataset'] = _looked_at_as(aside['dataset'], test)
    return kept, aside


def _images(dataset: Any) -> Any:
    """The config of a set without how its images are read and looked at: what tells whether two are the same images."""
    if not isinstance(dataset, dict):
        return dataset
    return {key: _images(value) for key, value in dataset.items() if key not in VIEW + READING}


def unwrapped(train: dict) -> dict:
    """The data set that sets aside by itself, without a `LongTailedDataset` that keeps all of its images; else as it is."""
    inner = train.get('dataset') if train.get('type') == 'LongTailedDataset' and train.get('profile') == 'natural' else None
    return inner if isinstance(inner, dict) and _takes_holdout(inner) else train


def _looked_at_as(aside: dict, test: dict) -> dict:
    """The config of a set, its images looked at as those of the test set; what neither takes stays out."""
    view = test.get('dataset') if isinstance(test.get('dataset'), dict) else test
    kept = {key: value for key, value in aside.items() if key not in VIEW}
    known = _arguments(aside)
    return copy.deepcopy(kept | {key: view[key] for key in VIEW if key in view and (known is None or key in known)})


def _takes_holdout(dataset: dict) -> bool:
    return 'holdout' in (_arguments(dataset) or ())


def _arguments(dataset: dict) -> set[str] | None:
    part = _part(dataset)
    return None if part is None else arguments_of(part)


def _module(dataset: dict) -> str:
    return getattr(_part(dataset), '__module__', '')


def _part(dataset: dict) -> Any:
    try:
        return registry.DATASETS.get(dataset.get('type'))
    except UserError:  # said with its place when the parts are checked
        return None
