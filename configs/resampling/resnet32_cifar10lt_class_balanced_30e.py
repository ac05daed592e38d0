"""Class-balanced sampling, ResNet-32, CIFAR-10-LT, ratio 100; 30 epochs."""

_base_ = ['../ce/resnet32_cifar10lt_30e.py']

train_dataloader = dict(sampler=dict(_delete_=True, type='ClassBalancedSampler'))
