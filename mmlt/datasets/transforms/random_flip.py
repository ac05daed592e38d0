"""Random mirror images."""

import torch
from torch import Tensor

from mmlt.datasets.transforms.base import BatchTransform, check_probability
from mmlt.draw import Draw
from mmlt.registry import TRANSFORMS


@TRANSFORMS.register_module()
class RandomFlip(BatchTransform):
    """Mirror an image left to right.

    Args:
        probability: how often.
    """

    def __init__(self, probability: float = 0.5) -> None:
        self.probability = check_probability('the probability of RandomFlip', probability)

    def __call__(self, images: Tensor, draw: Draw) -> Tensor:
        flipped = draw.uniform(1, stream=0) < self.probability  # (B, 1)
        columns = torch.arange(images.shape[3], device=images.device)
        columns = torch.where(flipped, columns.flip(0), columns)  # (B, W)
        return images.gather(3, columns[:, None, None, :].expand(images.shape))
