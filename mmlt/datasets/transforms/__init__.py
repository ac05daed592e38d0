"""Augmentation of whole batches on their device, every image with its own draw."""

from mmlt.datasets.transforms.auto_augment import AutoAugment
from mmlt.datasets.transforms.base import BatchTransform, apply_transforms
from mmlt.datasets.transforms.crop import RandomCrop
from mmlt.datasets.transforms.cutout import Cutout
from mmlt.datasets.transforms.draw import Draw
from mmlt.datasets.transforms.flip import RandomFlip

__all__ = ['AutoAugment', 'BatchTransform', 'Cutout', 'Draw', 'RandomCrop', 'RandomFlip', 'apply_transforms']
