"""MiSLAS stage 1: mixup, ResNet-32, CIFAR-100-LT, ratio 100; 200 epochs, x0.1 after 160 epochs and x0.01 after 180."""

_base_ = ['../mixup/resnet32_cifar100lt.py']

param_scheduler = [
    dict(type='LinearLR', start_factor=0.2, begin=0, end=5),  # lr * epoch / 5, epochs counted from 1
    dict(type='MultiStepLR', milestones=[160, 180], gamma=0.1),
]
