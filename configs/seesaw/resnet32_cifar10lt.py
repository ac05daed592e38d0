"""Seesaw loss, ResNet-32, CIFAR-10-LT, ratio 100; 200 epochs."""

_base_ = ['../ce/resnet32_cifar10lt.py']

model = dict(loss=dict(_delete_=True, type='SeesawLoss', num_classes=10, p=0.8, q=2.0))
