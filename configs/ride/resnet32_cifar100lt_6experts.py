"""RIDE with six experts (a teacher), ResNet-32, CIFAR-100-LT, ratio 100; 200 epochs, for a GPU."""

_base_ = ['resnet32_cifar100lt.py']

model = dict(backbone=dict(num_experts=6))
