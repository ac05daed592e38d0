"""CIFAR-100-LT as in cifar100lt.py, the training images also rotated by up to 15 degrees, as RIDE and SADE do."""

_base_ = ['cifar100lt.py']

data_preprocessor = dict(
    train_transforms=[
        dict(type='RandomCrop', padding=4),
        dict(type='RandomFlip'),
        dict(type='RandomRotation', degrees=15),
    ],
)
