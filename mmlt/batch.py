"""The one thing that goes from a loader to a model."""

from typing import NamedTuple

from torch import Tensor

PARTNER_KEY = 2**31  # higher by this than an image's key is the key of its partner, where a loader gives partners


class Batch(NamedTuple):
    """B images as tensors, all on one device.

    Attributes:
        images: (B, C, H, W) uint8.
        labels: (B,) int64, class of each image.
        indices: (B,) int64, place of each image in its data set.
        keys: (B,) int64, which draw this is: epoch * 2 ** 32 + place in the epoch's global order. Random augmentation
            is a function of the seed and this key. With partners the batch is twice as long: the images, then the
            partners, in the same order, with `PARTNER_KEY` added to their keys.
    """

    images: Tensor
    labels: Tensor
    indices: Tensor
    keys: Tensor
