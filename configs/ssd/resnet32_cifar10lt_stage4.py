"""SSD, stage 4: LWS on the hard head, ResNet-32, CIFAR-10-LT, ratio 100; 5 epochs on stage 3: a minute on a GPU."""

_base_ = ['../lws/resnet32_cifar10lt.py']

prerequisites = dict(backbone=dict(config='resnet32_cifar10lt.py'))
model = dict(type='SSDScalingClassifier')
train_dataloader = dict(sampler=dict(samples_per_class=2))
