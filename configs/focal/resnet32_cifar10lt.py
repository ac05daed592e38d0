"""Focal loss (gamma 1), ResNet-32, CIFAR-10-LT, ratio 100; 200 epochs, batch 128."""

_base_ = [
    '../_base_/models/resnet32_cifar.py',
    '../_base_/datasets/cifar10lt.py',
    '../_base_/schedules/ldam_200e.py',
    '../_base_/default_runtime.py',
]

model = dict(loss=dict(_delete_=True, type='FocalLoss', gamma=1.0))
