"""Backbones that mmpretrain and timm do not have."""

from mmlt.models.backbones.pooling import pool_features
from mmlt.models.backbones.resnet_cifar import ResNetCIFAR

__all__ = ['ResNetCIFAR', 'pool_features']
