"""CMO with CE-DRW, ResNet-32, CIFAR-100-LT, ratio 100; 200 epochs."""

_base_ = ['resnet32_cifar100lt.py']

model = dict(reweighting=dict(beta=0.9999, start_epoch='first_drop'))
