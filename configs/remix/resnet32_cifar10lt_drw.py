"""Remix-DRW, ResNet-32, CIFAR-10-LT, ratio 100; 200 epochs; minutes on a GPU."""

_base_ = ['resnet32_cifar10lt.py']

model = dict(reweighting=dict(beta=0.9999, start_epoch=160))  # from the first drop of the learning rate
