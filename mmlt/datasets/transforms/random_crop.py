"""Random crops of the size the image had, from a padded image."""

import torch
from torch import Tensor
from torch.nn import functional

from mmlt.arguments import number
from mmlt.datasets.transforms.base import BatchTransform
from mmlt.draw import Draw
from mmlt.registry import TRANSFORMS


@TRANSFORMS.register_module()
class RandomCrop(BatchTransform):
    """Pad all four sides, then cut a window of the original size at a place drawn for each image.

    Source: He et al., Deep residual learning for image recognition (2016), section 4.2.

    Args:
        padding: pixels added on each side; each of the (2 padding + 1) ** 2 windows is equally likely.
        fill: grey level of the padding, 0 to 255.
    """

    def __init__(self, padding: int = 4, fill: int = 0) -> None:
        self.padding = number(self, 'padding', padding, least=0, whole=True)
        self.fill = number(self, 'fill', fill, least=0, most=255, whole=True)

    def __call__(self, images: Tensor, draw: Draw) -> Tensor:
        height, width = images.shape[2:]
        top, left = draw.integers(0, 2 * self.padding + 1, 2, stream=0).unbind(1)
        padded = functional.pad(images, [self.padding] * 4, value=self.fill)
        # A view of every window, (B, C, places, places, H, W), of which one gather copies one an image.
        windows = padded.unfold(2, height, 1).unfold(3, width, 1)
        return windows[torch.arange(len(images), device=images.device), :, top, left]
