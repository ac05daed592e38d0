"""CIFAR-10-LT as in cifar10lt.py, the training images also rotated by up to 15 degrees, as RIDE and SADE do."""

_base_ = ['cifar10lt.py']

data_preprocessor = dict(
    train_transforms=[
        dict(type='RandomCrop', padding=4),
        dict(type='RandomFlip'),
        dict(type='RandomRotation', degrees=15),
    ],
)
