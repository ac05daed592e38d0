"""Remix-DRW, ResNet-32, CIFAR-10-LT, ratio 100; 200 epochs."""

_base_ = ['resnet32_cifar10lt.py']

model = dict(reweighting=dict(beta=0.9999, start_epoch='first_drop'))
