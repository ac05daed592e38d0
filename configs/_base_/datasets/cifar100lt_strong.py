"""CIFAR-100-LT as in `cifar100lt.py`, with AutoAugment and Cutout after crop and flip, all before normalisation."""

_base_ = ['cifar100lt.py']

data_preprocessor = dict(
    train_transforms=[
        dict(type='RandomCrop', padding=4),
        dict(type='RandomFlip'),
        dict(type='AutoAugment', policy='cifar10'),
        dict(type='Cutout', size=16),
    ],
)
