"""SSD, stage 2: LWS, the teacher of stage 3, ResNet-32, CIFAR-10-LT, ratio 100; 5 epochs on stage 1: a minute on a GPU."""

_base_ = ['../lws/resnet32_cifar10lt.py']

prerequisites = dict(backbone=dict(config='resnet32_cifar10lt_stage1.py'))
train_dataloader = dict(sampler=dict(samples_per_class=2))
