"""Balanced softmax, ResNet-32, CIFAR-100-LT, ratio 100; NCL's recipe: AutoAugment, Cutout, 400 epochs, batch 64: for a GPU."""

_base_ = ['../ce/resnet32_cifar100lt_strong_400e.py']

model = dict(loss=dict(type='BalancedSoftmaxLoss'))
