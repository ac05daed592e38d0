"""Data sets that live in memory as one array."""

from abc import abstractmethod

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from mmlt.datasets.fingerprint import describe, pixels_sha256
from mmlt.datasets.labels import count_labels, label_of, size_of, with_labels


class ResidentDataset(Dataset):
    """Base of the small sets; a subclass sets the attributes below and has `images`.

    Attributes:
        name: of the data set.
        classes: names of the classes.
        labels: (N,) int64, or float32 (N, C) with 1 for each class that an image shows.
        index: (N,) int64 place of each image in the official split, where these may be a part of it or in another
            order; None where the images are the official split as it is.
        resident: True: `tensors()` gives everything at once.
    """

    resident = True
    name: str
    classes: tuple[str, ...]
    labels: np.ndarray
    index: np.ndarray | None = None

    @property
    @abstractmethod
    def images(self) -> np.ndarray:
        """(N, H, W, C) uint8."""

    @property
    def verified(self) -> bool:
        """Whether the pixels are known to be the official ones."""
        return False

    @property
    def class_counts(self) -> list[int]:
        """Images of each class."""
        return count_labels(self.labels, len(self.classes))

    @property
    def metainfo(self) -> dict:
        """`dataset`, `classes`, `class_counts`, `verified` (the pixels are known to be official), and `num_images` where images
        have several labels."""
        more = size_of(self.labels)
        return dict(dataset=self.name, classes=self.classes, class_counts=self.class_counts, verified=self.verified, **more)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, item: int | tuple[int, int]) -> tuple[Tensor, int | Tensor]:
        """Image uint8 (C, H, W) and label. Of a pair (place, key of the draw) only the place matters here."""
        place = item[0] if isinstance(item, tuple) else item
        return torch.from_numpy(self.images[place].copy()).permute(2, 0, 1).contiguous(), label_of(self.labels, place)

    def tensors(self, indices: np.ndarray | None = None) -> tuple[Tensor, Tensor]:
        """Images uint8 (N, C, H, W) and labels int64 (N,) or float32 (N, C), a fresh copy.

        Args:
            indices: (M,) which ones, in which order; None for all.
        """
        chosen = slice(None) if indices is None else indices
        images = torch.from_numpy(self.images[chosen]).permute(0, 3, 1, 2)
        return images.clone(memory_format=torch.contiguous_format), torch.from_numpy(self.labels[chosen].copy())

    def release(self) -> None:
        """Release the pixels if they can be read again on demand; called once they are on the training device."""

    def content_sha256(self, indices: np.ndarray | None = None) -> str:
        """SHA-256 of the uint8 NHWC pixels of these images, in this order; None for all. Several labels count as pixels do."""
        pixels = pixels_sha256(self.images, indices)
        if self.labels.ndim == 1:
            return pixels
        return with_labels(pixels, self.labels if indices is None else self.labels[indices])

    def fingerprint(self) -> dict:
        """What the set is: names, counts and the hashes of its index list and pixels."""
        index = np.arange(len(self)) if self.index is None else self.index
        return describe(self.name, 'natural', self.class_counts, None, index, self.content_sha256())
