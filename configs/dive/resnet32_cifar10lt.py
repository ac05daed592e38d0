"""Distilling virtual examples (DiVE), ResNet-32, CIFAR-10-LT, ratio 100; 200 epochs, for a GPU."""

_base_ = ['resnet32_cifar10lt_teacher.py']

prerequisites = dict(teacher=dict(config='resnet32_cifar10lt_teacher.py'))
model = dict(
    type='DiVEClassifier',
    temperature=2.0,
    alpha=0.5,
    power=0.5,
)
