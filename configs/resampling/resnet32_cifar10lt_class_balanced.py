"""Class-balanced sampling, ResNet-32, CIFAR-10-LT, ratio 100; 200 epochs."""

_base_ = ['../ce/resnet32_cifar10lt.py']

train_dataloader = dict(sampler=dict(_delete_=True, type='ClassBalancedSampler'))
