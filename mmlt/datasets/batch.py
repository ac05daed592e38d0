"""The one thing that goes from a loader to a model."""

from typing import NamedTuple

from torch import Tensor


class Batch(NamedTuple):
    """B images as tensors, all on one device.

    Attributes:
        images: (B, C, H, W) uint8.
        labels: (B,) int64, class of each image.
        indices: (B,) int64, place of each image in its data set.
        keys: (B,) int64, which draw this is: epoch * 2 ** 32 + place in the epoch's global order. Random augmentation
            is a function of the seed and this key.
    """

    images: Tensor
    labels: Tensor
    indices: Tensor
    keys: Tensor
