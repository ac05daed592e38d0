"""Distilling virtual examples (DiVE), ResNet-32, CIFAR-10-LT, ratio 100; 30 epochs, for a CPU."""

_base_ = ['../balanced_softmax/resnet32_cifar10lt_30e.py']

prerequisites = dict(teacher=dict(config='../balanced_softmax/resnet32_cifar10lt_30e.py'))
model = dict(
    type='DiVEClassifier',
    temperature=2.0,
    alpha=0.5,
    power=0.5,
)
