"""Data sets that the runs of one process share."""

import json
from pathlib import Path
from typing import Any

from mmlt.datasets.mmpretrain_dataset import build_dataset

_built: dict[str, Any] = {}


def shared_dataset(cfg: dict) -> Any:
    """Build a data set once a process, so that teacher and student read it once."""
    key = json.dumps([str(Path.cwd()), cfg], sort_keys=True, default=str)  # a path in it may be relative
    if key not in _built:
        _built[key] = build_dataset(cfg)
    return _built[key]


def forget_changeable() -> None:
    """Forget the data sets read from files: a notebook may train again after its images have changed."""
    for key, dataset in list(_built.items()):
        if not (getattr(dataset, 'resident', False) and dataset.metainfo.get('verified')):
            del _built[key]


def scaling_of(dataset: Any) -> str | None:
    """What scales the images of a set read from files (see `StreamingDataset`); None for others."""
    while hasattr(dataset, 'dataset'):
        dataset = dataset.dataset
    return getattr(dataset, 'backend', None)
