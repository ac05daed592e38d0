"""Random grey images."""

import torch
from torch import Tensor

from mmlt.datasets.transforms.base import BatchTransform, check_probability
from mmlt.datasets.transforms.ops_point import grey
from mmlt.draw import Draw
from mmlt.registry import TRANSFORMS


@TRANSFORMS.register_module()
class RandomGrayscale(BatchTransform):
    """Replace each channel by the luminance (ITU-R 601, as Pillow rounds it).

    Args:
        probability: how often.
    """

    def __init__(self, probability: float = 0.2) -> None:
        self.probability = check_probability('the probability of RandomGrayscale', probability)

    def __call__(self, images: Tensor, draw: Draw) -> Tensor:
        chosen = draw.uniform(1, stream=0) < self.probability  # (B, 1)
        return torch.where(chosen[:, :, None, None], grey(images), images)
