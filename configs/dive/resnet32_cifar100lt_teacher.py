"""Balanced softmax with DiVE's schedule, the teacher of DiVE, ResNet-32, CIFAR-100-LT, ratio 100; 200 epochs, for a GPU."""

_base_ = [
    '../_base_/models/resnet32_cifar.py',
    '../_base_/datasets/cifar100lt.py',
    '../_base_/schedules/dive_200e.py',
    '../_base_/default_runtime.py',
]

model = dict(loss=dict(_delete_=True, type='BalancedSoftmaxLoss'))
