"""Class-balanced loss, ResNet-32, CIFAR-10-LT, ratio 100; 30 epochs: 10 to 15 minutes on 2 cores."""

_base_ = ['../ce/resnet32_cifar10lt_30e.py']

model = dict(reweighting=dict(beta=0.9999))  # effective number, from the first epoch
