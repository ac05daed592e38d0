"""Softmax equalization, ResNet-32, CIFAR-10-LT, ratio 100; 200 epochs."""

_base_ = ['../ce/resnet32_cifar10lt.py']

model = dict(loss=dict(_delete_=True, type='SEQLLoss', gamma=0.9, threshold=5e-2))
