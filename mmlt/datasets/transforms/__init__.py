"""Augmentation of whole batches on their device, every image with its own draw."""

from mmlt.datasets.transforms.auto_augment import AutoAugment
from mmlt.datasets.transforms.base import BatchTransform, apply_transforms
from mmlt.datasets.transforms.color_jitter import ColorJitter
from mmlt.datasets.transforms.cutout import Cutout
from mmlt.datasets.transforms.gaussian_blur import GaussianBlur
from mmlt.datasets.transforms.rand_augment import RandAugment
from mmlt.datasets.transforms.random_crop import RandomCrop
from mmlt.datasets.transforms.random_flip import RandomFlip
from mmlt.datasets.transforms.random_grayscale import RandomGrayscale
from mmlt.datasets.transforms.random_resized_crop import RandomResizedCrop
from mmlt.datasets.transforms.random_rotation import RandomRotation
from mmlt.datasets.transforms.resize import Resize
from mmlt.datasets.transforms.timm_rand_augment import TimmRandAugment
from mmlt.draw import Draw

__all__ = [
    'AutoAugment',
    'BatchTransform',
    'ColorJitter',
    'Cutout',
    'Draw',
    'GaussianBlur',
    'RandAugment',
    'RandomCrop',
    'RandomFlip',
    'RandomGrayscale',
    'RandomResizedCrop',
    'RandomRotation',
    'Resize',
    'TimmRandAugment',
    'apply_transforms',
]
