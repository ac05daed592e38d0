"""Adapters of `segments_of` for models of timm; imported with the first one that is cut."""

from timm.models.resnet import ResNet
from torch import nn

from mmlt.models.backbones.segments import segments_of


@segments_of.register
def _(backbone: ResNet) -> list[nn.Module]:
    stem = nn.Sequential(backbone.conv1, backbone.bn1, backbone.act1, backbone.maxpool)
    end = nn.Sequential(backbone.layer4, backbone.global_pool)
    end.out_channels = backbone.num_features
    return [stem, backbone.layer1, backbone.layer2, backbone.layer3, end]
