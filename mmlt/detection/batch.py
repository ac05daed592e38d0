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
        keys: (B,) int64, which draw this is, see `mmlt.batch.Batch`.
        image_sizes: height and width of each image in the padded tensor; empty before the preprocessor.
        original_sizes: height and width of each image as it was read; empty before the preprocessor.
    """

    images: list[Tensor] | Tensor
    targets: list[Target]
    indices: Tensor
    keys: Tensor
    image_sizes: tuple[tuple[int, int], ...] = ()
    original_sizes: tuple[tuple[int, int], ...] = ()

    def to(self, device: torch.device | str, non_blocking: bool = False) -> 'DetectionBatch':
        """The batch on another device."""

        def move(part: Tensor) -> Tensor:
            return part.to(device, non_blocking=non_blocking)

        return self._replace(
            images=move(self.images) if isinstance(self.images, Tensor) else [move(image) for image in self.images],
            targets=[{name: move(part) for name, part in target.items()} for target in self.targets],
            indices=move(self.indices),
            keys=move(self.keys),
        )
