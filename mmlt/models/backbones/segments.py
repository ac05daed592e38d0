"""Backbones cut into segments, a stem and its stages, so that experts can share the first of them.

An adapter is registered for a class of backbones with `segments_of.register`; it takes the backbone apart without
copying anything: running the segments one after another gives what the backbone's own `forward` gives. Adapters for
other packages' backbones are imported when the first such backbone is cut, since those packages take seconds.
"""

import importlib
import sys
from functools import singledispatch

from torch import Tensor, nn

from mmlt.errors import UserError
from mmlt.models.backbones.resnet_cifar import ResNetCIFAR
from mmlt.models.backbones.timm_backbone import TimmBackbone

FOREIGN = {  # package of a backbone's class: our module with the adapters for it
    'mmpretrain': 'mmlt.models.backbones.segments_mmpretrain',
    'timm': 'mmlt.models.backbones.segments_timm',
}


def import_adapters(backbone: nn.Module) -> bool:
    """Import the adapters for the package that the backbone comes from; whether there were any to import."""
    packages = {base.__module__.partition('.')[0] for base in type(backbone).__mro__}
    missing = [module for package, module in FOREIGN.items() if package in packages and module not in sys.modules]
    for module in missing:
        importlib.import_module(module)
    return bool(missing)


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
    if import_adapters(backbone):
        return segments_of(backbone)
    raise UserError(
        f'MultiExpertBackbone cannot cut {type(backbone).__name__} into stages: write a function that returns '
        '[stem, stage 1, ...] and register it with mmlt.models.backbones.segments.segments_of.register.'
    )


@singledispatch
def narrow_stages(backbone: nn.Module, first: int, width: float) -> None:
    """Replace the later stages of a backbone by new ones with fewer channels (or more), before it is cut.

    Args:
        backbone: the backbone.
        first: the first stage, counted from 0, that is replaced, with all after it; from 0 on the stem follows where the
            backbone gives it the channels of its first stage.
        width: factor on the number of channels, above 0.

    Raises:
        UserError: the stages of this kind of backbone have a fixed width, or none of this width can be built.
    """
    if import_adapters(backbone):
        return narrow_stages(backbone, first, width)
    raise UserError(
        f'expert_width={width} is for ResNetCIFAR and for ResNet and ResNeXt of mmpretrain and timm; leave it out for '
        f'{type(backbone).__name__}.'
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


@narrow_stages.register
def _(backbone: ResNetCIFAR, first: int, width: float) -> None:
    channels = [stage[-1].conv2.out_channels for stage in (backbone.layer1, backbone.layer2, backbone.layer3)]
    narrowed = [max(1, round(width * count)) if place >= first else count for place, count in enumerate(channels)]
    backbone.build_stages(narrowed, first)


@segments_of.register
def _(backbone: TimmBackbone) -> list[nn.Module]:
    return segments_of(backbone.model)


@narrow_stages.register
def _(backbone: TimmBackbone, first: int, width: float) -> None:
    backbone.narrow(first, width)
