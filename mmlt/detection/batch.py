"""What goes from a detection loader to a detector."""

from typing import NamedTuple

import torch
from torch import Tensor

Target = dict[str, Tensor]


class DetectionBatch(NamedTuple):
    """B images of any size with their objects.

    Attributes:
        images: B images uint8 (3, H, W); after the preprocessor one float tensor (B, 3, H, W), padded on the right and
            below.
        targets: for each image `boxes` float32 (M, 4) as left, upper, right and lower edge in pixels, `labels` int64
            (M,) in [0, K), and with masks `masks` uint8 (M, H, W).
        indices: (B,) int64, place of each image in its data set.
        keys: (B,) int64, which draw this is, see `mmlt.datasets.Batch`.
        image_sizes: height and width of each image in the padded tensor; empty before the preprocessor.
        original_sizes: height and width of each image as it was read; empty before the preprocessor.
    """

    images: list[Tensor] | Tensor
    targets: list[Target]
    indices: Tensor
    keys: Tensor
    image_sizes: tuple[tuple[int, int], ...] = ()
    original_sizes: tuple[tuple[int, int], ...] = ()

    def to(self, device: torch.device | str) -> 'DetectionBatch':
        """The same batch on a device."""
        images = self.images
        moved = images.to(device, non_blocking=True) if isinstance(images, Tensor) else [
            image.to(device, non_blocking=True) for image in images
        ]  # fmt: skip
        return self._replace(
            images=moved,
            targets=[{name: part.to(device, non_blocking=True) for name, part in target.items()} for target in self.targets],
            indices=self.indices.to(device, non_blocking=True),
            keys=self.keys.to(device, non_blocking=True),
        )
