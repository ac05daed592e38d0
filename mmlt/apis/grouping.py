"""Groups of classes that a finished model takes for one another, for the teachers of RSKD."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mmlt.arguments import number
from mmlt.engine.finished import load_classifier
from mmlt.engine.loader import build_loader
from mmlt.engine.stages import Stage
from mmlt.errors import UserError
from mmlt.files import atomic_write


def group_classes(config: str | Path, checkpoint: str | Path, groups: int, overrides: dict[str, Any] | None = None) -> dict:
    """Classes in groups of about equal size, those that a model confuses together.

    The confusion of two classes is the probability that the model gives the one on training images of the other, both ways
    added. Classes are put in a row so that confused ones are near (by the second eigenvector of the confusions' Laplacian),
    and the row is cut.

    Args:
        config: whose training set the confusions are measured on.
        checkpoint: of the model.
        groups: how many.
        overrides: of the config.

    Returns:
        Names of classes by group, `group 0` and so on.

    Raises:
        UserError: other classes than the model's, or groups of fewer than two classes.
    """
    dataset = Stage(config, overrides=overrides or {}).loader.dataset
    names = [str(name) for name in dataset.metainfo['classes']]
    model = load_classifier(checkpoint).eval()
    if model.num_classes != len(names):
        raise UserError(f'{checkpoint} knows {model.num_classes} classes, the training set has {len(names)}: use its config.')
    number('group_classes', 'groups', groups, least=2, most=len(names) // 2, whole=True)
    return {f'group {place}': [names[c] for c in part] for place, part in enumerate(cut(confusions(model, dataset), groups))}


@torch.inference_mode()
def confusions(model, dataset) -> np.ndarray:  # noqa: ANN001
    """(K, K) float64: the mean probability of class j on the images of class i; 0 for a class without an image."""
    total, counts = torch.zeros(model.num_classes, model.num_classes, dtype=torch.float64), torch.zeros(model.num_classes)
    for data in build_loader(dict(batch_size=500, dataset=dataset)):
        batch = model.data_preprocessor(data, False)
        logits, target = model(batch.images).double(), batch.targets
        several = target.dim() == 2
        shown = target.double() if several else torch.nn.functional.one_hot(target, model.num_classes).double()
        total += shown.T @ (logits.sigmoid() if several else logits.softmax(dim=1))
        counts += shown.sum(dim=0)
    return (total / counts.clamp_min(1)[:, None]).numpy()


def cut(confused: np.ndarray, groups: int) -> list[list[int]]:
    """The classes in `groups` parts of a row in which confused ones are near; `confused` is (K, K)."""
    both = confused + confused.T
    np.fill_diagonal(both, 0)
    laplacian = np.diag(both.sum(axis=1)) - both
    _, vectors = np.linalg.eigh(laplacian)
    return [sorted(part.tolist()) for part in np.array_split(np.argsort(vectors[:, 1], kind='stable'), groups)]


def write_groups(path: str | Path, groups: dict[str, list[str]]) -> Path:
    """Write a grouping file.

    Raises:
        UserError: there is a file already.
    """
    if Path(path).exists():
        raise UserError(f'{path} is there already: delete it, or name another file by --out.')
    return atomic_write(path, json.dumps(groups, indent=2, ensure_ascii=False) + '\n')
