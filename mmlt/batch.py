"""The one thing that goes from a loader to a model."""

from typing import NamedTuple

import torch
from torch import Tensor


class Batch(NamedTuple):
    """B images as tensors, all on one device.

    Attributes:
        images: (B, C, H, W) uint8, or (B, V, C, H, W) where the data set cuts V > 1 views out of each image; after a
            preprocessor that gives V > 1 views, float (V, B, C, H, W).
        targets: (B,) int64, class of each image; with several labels an image float (B, K), 1 for each of its classes.
        indices: (B,) int64, place of each image in its data set.
        keys: (B,) int64, which draw this is, by epoch and place in the epoch's global order. Random augmentation is a
            function of the seed and this key.
        partners: a partner for each image, in the same order, with keys of its own; None where nothing asks for any.
    """

    images: Tensor
    targets: Tensor
    indices: Tensor | None
    keys: Tensor | None
    partners: 'Batch | None' = None

    def to(self, device: torch.device | str, non_blocking: bool = False) -> 'Batch':
        """The batch on another device."""
        return Batch(*(None if part is None else part.to(device, non_blocking=non_blocking) for part in self))
