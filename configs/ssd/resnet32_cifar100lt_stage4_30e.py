"""SSD, stage 4: LWS on the hard head, ResNet-32, CIFAR-100-LT, ratio 100; 5 epochs on stage 3: minutes on 2 cores."""

_base_ = ['../lws/resnet32_cifar100lt_30e.py']

prerequisites = dict(backbone=dict(config='resnet32_cifar100lt_30e.py'))
model = dict(type='SSDScalingClassifier')
train_dataloader = dict(sampler=dict(samples_per_class=2))
