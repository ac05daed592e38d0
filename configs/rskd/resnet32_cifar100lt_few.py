"""RSKD: few-shot teacher, fine-tuned on its 30 classes, ResNet-32, CIFAR-100-LT, ratio 100; 200 epochs."""

_base_ = ['../ce/resnet32_cifar100lt.py']

prerequisites = dict(init=dict(config='../ce/resnet32_cifar100lt.py', parts=['backbone']))
train_dataloader = dict(classes=dict(group='few', convention='standard'))
