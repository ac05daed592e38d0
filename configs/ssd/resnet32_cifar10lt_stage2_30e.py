"""SSD, stage 2: LWS, the teacher of stage 3, ResNet-32, CIFAR-10-LT, ratio 100; 5 epochs on stage 1: minutes on 2 cores."""

_base_ = ['../lws/resnet32_cifar10lt_30e.py']

prerequisites = dict(backbone=dict(config='resnet32_cifar10lt_stage1_30e.py'))
train_dataloader = dict(sampler=dict(samples_per_class=2))
