"""Backbones cut into segments, a stem and its stages, so that experts can share the first of them.

An adapter is registered for a class of backbones with `segments_of.register`; it takes the backbone apart without
copying anything: running the segments one after another gives what the backbone's own `forward` gives.
"""

from functools import singledispatch

from torch import Tensor, nn

from mmlt.errors import UserError
from mmlt.models.backbones.resnet_cifar import ResNetCIFAR


@singledispatch
def segments_of(backbone: nn.Module) -> list[nn.Module]:
    """The stem and the stages of a backbone, in the order they run.

    Args:
        backbone: the backbone; its parts move into the segments.

    Returns:
        `[stem, stage 1, ..., stage S]`, each a module of one argument; the last one gives what the backbone gives.

    Raises:
        UserError: no adapter knows this kind of backbone.
    """
    raise UserError(
        f'MultiExpertBackbone cannot cut {type(backbone).__name__} into stages: write a function that returns '
        '[stem, stage 1, ...] and register it with mmlt.models.backbones.segments.segments_of.register.'
    )


class ResNetCIFARStem(nn.Module):
    """The first convolution of a `ResNetCIFAR`.

    Args:
        backbone: whose stem it becomes.
    """

    def __init__(self, backbone: ResNetCIFAR) -> None:
        super().__init__()
        self.conv1 = backbone.conv1
        self.bn1 = backbone.bn1

    def forward(self, images: Tensor) -> Tensor:
        """Map images (B, 3, H, W) to (B, C, H, W)."""
        return nn.functional.relu(self.bn1(self.conv1(images)), inplace=True)


@segments_of.register
def _(backbone: ResNetCIFAR) -> list[nn.Module]:
    return [ResNetCIFARStem(backbone), backbone.layer1, backbone.layer2, backbone.layer3]
