"""Backbones that mmpretrain does not have, and the door to those of timm."""

from mmlt.models.backbones.multi_expert import MultiExpertBackbone
from mmlt.models.backbones.pooling import pool_features
from mmlt.models.backbones.resnet_cifar import ResNetCIFAR
from mmlt.models.backbones.timm_backbone import TimmBackbone
from mmlt.models.backbones.tuned_vit import TunedViT

__all__ = ['MultiExpertBackbone', 'ResNetCIFAR', 'TimmBackbone', 'TunedViT', 'pool_features']
