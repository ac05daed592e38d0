"""SSD, stage 3 after stages 1 and 2, ResNet-32, CIFAR-10-LT, ratio 100; 200 epochs, for a GPU."""

_base_ = ['../ce/resnet32_cifar10lt.py']

prerequisites = dict(teacher=dict(config='resnet32_cifar10lt_stage2.py'))
model = dict(type='SSDClassifier', temperature=2.0)
