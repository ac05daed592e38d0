"""RSKD: medium-shot teacher, fine-tuned on its 3 classes, ResNet-32, CIFAR-10-LT, ratio 100; 30 epochs."""

_base_ = ['../ce/resnet32_cifar10lt_30e.py']

prerequisites = dict(init=dict(config='../ce/resnet32_cifar10lt_30e.py', parts=['backbone']))
train_dataloader = dict(classes=dict(group='medium', convention='prior-lt'))
