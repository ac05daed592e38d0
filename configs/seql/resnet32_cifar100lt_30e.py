"""Softmax equalization, ResNet-32, CIFAR-100-LT, ratio 100; 30 epochs."""

_base_ = ['../ce/resnet32_cifar100lt_30e.py']

model = dict(loss=dict(_delete_=True, type='SEQLLoss', gamma=0.9, threshold=5e-3))
