"""What a set of images is, in hashes."""

import hashlib

import numpy as np
import torch

from mmlt.errors import UserError

CHUNK = 4096


def indices_sha256(indices: np.ndarray) -> str:
    """SHA-256 of the indices as little-endian int64, in their order."""
    return hashlib.sha256(np.ascontiguousarray(indices, dtype='<i8')).hexdigest()


def pixels_sha256(images: np.ndarray, indices: np.ndarray | None = None) -> str:
    """SHA-256 of uint8 NHWC pixels.

    Args:
        images: (N, H, W, C) uint8.
        indices: (M,) int64, which images in which order; None for all as they stand.
    """
    digest = hashlib.sha256()
    for start in range(0, len(images) if indices is None else len(indices), CHUNK):
        part = slice(start, start + CHUNK)
        digest.update(np.ascontiguousarray(images[part if indices is None else indices[part]]))
    return digest.hexdigest()


def content_sha256(dataset, indices: np.ndarray) -> str:  # noqa: ANN001
    """SHA-256 of the content of `dataset[i] for i in indices`.

    The data set's own `content_sha256(indices)` if it has one; else of the uint8 NHWC pixels it hands out.
    """
    if hasattr(dataset, 'content_sha256'):
        return dataset.content_sha256(indices)
    digest = hashlib.sha256()
    for index in indices.tolist():
        image = torch.as_tensor(dataset[index][0])
        if image.dtype != torch.uint8:
            raise UserError(f'{type(dataset).__name__} must give uint8 images (C, H, W), not {image.dtype}.')
        digest.update(np.ascontiguousarray(image.permute(1, 2, 0).numpy()))
    return digest.hexdigest()


def describe(
    dataset: str, profile: str, class_counts: list[int], protocol: str | None, indices: np.ndarray, content: str,
    imbalance_ratio: float | None = None, content_of: str | None = None,
) -> dict:
    """The `data` entry of `results.json`.

    Args:
        dataset: name of the data set.
        profile: see `SubsetRule`.
        class_counts: images of each class.
        protocol: see `SubsetRule`; None for a set as it is.
        indices: (M,) int64 places in the official split, in order.
        content: the content's SHA-256.
        imbalance_ratio: asked for; None for that of the counts.
        content_of: what `content` is the hash of, in words; None for all pixels.
    """
    filled = [count for count in class_counts if count]
    return dict(
        dataset=dataset,
        profile=profile,
        imbalance_ratio=max(filled) / min(filled) if imbalance_ratio is None else imbalance_ratio,
        protocol=protocol,
        num_images=len(indices),
        indices_sha256=indices_sha256(indices),
        content_sha256=content,
        **({} if content_of is None else dict(content=content_of)),
    )
