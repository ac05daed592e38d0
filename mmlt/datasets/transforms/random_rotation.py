"""Random rotations."""

from torch import Tensor

from mmlt.arguments import number
from mmlt.datasets.transforms.base import BatchTransform
from mmlt.datasets.transforms.ops_geometry import rotate
from mmlt.draw import Draw
from mmlt.registry import TRANSFORMS


@TRANSFORMS.register_module()
class RandomRotation(BatchTransform):
    """Rotate an image about its centre by an angle uniform in [-degrees, degrees), to the nearest pixel.

    Source: the CIFAR recipe of RIDE (Wang et al., ICLR 2021) and SADE (Zhang et al., NeurIPS 2022), with 15 degrees.

    Args:
        degrees: largest angle.
        fill: grey level of what comes from outside the image, 0 to 255.
    """

    def __init__(self, degrees: float = 15, fill: int = 0) -> None:
        self.degrees = number(self, 'degrees', degrees, least=0)
        self.fill = number(self, 'fill', fill, least=0, most=255, whole=True)

    def __call__(self, images: Tensor, draw: Draw) -> Tensor:
        angle = (draw.uniform(1, stream=0).squeeze(1).double() * 2 - 1) * self.degrees
        return rotate(images, angle, self.fill)
