"""SSD, stage 3 after stages 1 and 2, ResNet-32, CIFAR-100-LT, ratio 100; 30 epochs, for a CPU."""

_base_ = ['../ce/resnet32_cifar100lt_30e.py']

prerequisites = dict(teacher=dict(config='resnet32_cifar100lt_stage2_30e.py'))
model = dict(type='SSDClassifier', temperature=2.0)
