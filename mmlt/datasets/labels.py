"""What differs between one label an image, int64 (N,), and several, float32 (N, K) with 1 for each class it shows."""

import hashlib
from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor

from mmlt.errors import UserError


def as_labels(labels: np.ndarray) -> np.ndarray:
    """Labels in the type they are kept in: int64 (N,), or float32 (N, K) of images with several."""
    labels = np.asarray(labels)
    return labels.astype(np.float32 if labels.ndim == 2 else np.int64, copy=False)


def count_labels(labels: np.ndarray, num_classes: int) -> list[int]:
    """Images of each class; one with several labels counts for each of them.

    Args:
        labels: see `as_labels`.
        num_classes: K.
    """
    if labels.ndim == 2:
        return labels.sum(axis=0, dtype=np.float64).astype(np.int64).tolist()
    return np.bincount(labels, minlength=num_classes).tolist()


def label_of(labels: np.ndarray, place: int) -> int | Tensor:
    """The label of an image: a number, or float32 (K,)."""
    return int(labels[place]) if labels.ndim == 1 else torch.from_numpy(labels[place].copy())


def label_texts(labels: np.ndarray) -> Iterable:
    """The label of each image as a text has it: `3`, or `0,3,7` of several."""
    if labels.ndim == 1:
        return labels
    return (','.join(map(str, np.flatnonzero(row))) for row in labels)


def size_of(labels: np.ndarray) -> dict[str, int]:
    """What `metainfo` says besides of images with several labels: their number, which the counts do not add up to."""
    return dict(num_images=len(labels)) if labels.ndim == 2 else {}


def with_labels(content: str, labels: np.ndarray) -> str:
    """SHA-256 of a set whose pixels or files have the SHA-256 `content`, its several labels included."""
    return hashlib.sha256(content.encode() + np.packbits(labels > 0, axis=1).tobytes()).hexdigest()


def check_multi_hot(labels: np.ndarray, num_classes: int, source: object) -> np.ndarray:
    """Labels of a file as float32 (N, K).

    Raises:
        UserError: another shape, or a value that is neither 0 nor 1.
    """
    if labels.ndim != 2 or labels.shape[1] != num_classes or labels.dtype.kind not in 'biuf' or not len(labels):
        raise UserError(
            f'the labels of {source} must be numbers of the shape (N, {num_classes}), a row an image and a column a class, '
            f'not {labels.dtype} {labels.shape}.'
        )
    strange = ~np.isin(labels, (0, 1))
    if strange.any():
        row, column = np.argwhere(strange)[0]
        raise UserError(
            f'{source}: image {row} has {labels[row, column]} for class {column}, where 1 (shown) or 0 (not) must stand: '
            'decide what an uncertain label is.'
        )
    return labels.astype(np.float32)
