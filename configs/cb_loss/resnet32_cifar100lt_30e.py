"""Class-balanced loss, ResNet-32, CIFAR-100-LT, ratio 100; 30 epochs."""

_base_ = ['../ce/resnet32_cifar100lt_30e.py']

model = dict(reweighting=dict(beta=0.9999))  # effective number, from the first epoch
