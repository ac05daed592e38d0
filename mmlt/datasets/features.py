"""Features of images, computed once by a frozen backbone: kept in files, handed out in place of the images."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from mmlt.errors import UserError
from mmlt.files import atomic_write

PART = 1024  # images a file


class FeatureStore:
    """The features of N images in files of `PART` images each, so that what was computed before a kill is not lost.

    Each file is written beside its place and renamed; one that cannot be read, or is of another size, counts as missing.

    Args:
        folder: of the files, made when the first one is written.
        num_images: N.
        shape: of an image's features: (C,), or (V, C) of V views.
    """

    def __init__(self, folder: str | Path, num_images: int, shape: tuple[int, ...]) -> None:
        self.folder, self.num_images, self.shape = Path(folder), num_images, tuple(shape)

    def places(self, part: int) -> range:
        """The images of a part."""
        return range(part * PART, min((part + 1) * PART, self.num_images))

    def _file(self, part: int) -> Path:
        return self.folder / f'part_{part:05}.npy'

    def missing(self) -> list[int]:
        """The parts that are not there yet."""
        return [part for part in range(-(-self.num_images // PART)) if self._read(part) is None]

    def write(self, part: int, features: np.ndarray) -> None:
        """Keep a part.

        Args:
            part: which.
            features: float32 (its images, *shape).

        Raises:
            UserError: the disk is full or the folder cannot be written.
        """
        try:
            atomic_write(self._file(part), lambda file: np.save(file, features, allow_pickle=False))
        except OSError as error:
            raise UserError(
                f'features cannot be kept in {self.folder} ({error.strerror or error}): make room, or set cache_root of the '
                'FeatureCacheHook to another folder.'
            ) from error

    def _read(self, part: int) -> np.ndarray | None:
        wanted = (len(self.places(part)), *self.shape)
        try:
            found = np.load(self._file(part), mmap_mode='r', allow_pickle=False)
        except (OSError, ValueError, EOFError):
            return None
        return found if found.shape == wanted and found.dtype == np.float32 else None

    def read(self) -> Tensor:
        """All features, float32 (N, *shape).

        Raises:
            UserError: a part is missing or holds NaN or infinite values.
        """
        whole = np.empty((self.num_images, *self.shape), dtype=np.float32)
        for part in range(-(-self.num_images // PART)):
            found = self._read(part)
            if found is None or not np.isfinite(found).all():
                raise UserError(f'{self._file(part)} holds no finite features: delete it, and they are computed anew.')
            whole[self.places(part)] = found
        return torch.from_numpy(whole)


class CachedFeatures(Dataset):
    """A data set whose `tensors()`, which runs learn from, are features; all else, an item's picture too, is that of the set.

    Args:
        dataset: the set, with `labels` and `metainfo`.
        features: float32 (N, C), or (N, 2, C) of the images as they are and mirrored.
    """

    resident = True
    takes_keys = False

    def __init__(self, dataset: Any, features: Tensor) -> None:
        self.source = dataset
        self.features = features

    def __getattr__(self, name: str) -> Any:
        if name.startswith('__') or name == 'source':
            raise AttributeError(name)
        return getattr(self.source, name)

    def __len__(self) -> int:
        return len(self.features)

    def __getitem__(self, item: Any) -> Any:
        """The image and its label: reports show it."""
        return self.source[item]

    def tensors(self) -> tuple[Tensor, Tensor]:
        """Features float32 (N, C) or (N, 2, C), and labels int64 (N,) or float32 (N, K)."""
        return self.features, torch.from_numpy(np.array(self.source.labels))

    def release(self) -> None:
        """The features stay."""
