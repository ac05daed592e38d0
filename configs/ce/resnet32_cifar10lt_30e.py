"""Cross entropy, ResNet-32, CIFAR-10-LT, ratio 100; 30 epochs, batch 128, bf16."""

_base_ = [
    '../_base_/models/resnet32_cifar.py',
    '../_base_/datasets/cifar10lt.py',
    '../_base_/schedules/ldam_30e.py',
    '../_base_/default_runtime.py',
]
