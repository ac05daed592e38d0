"""Three ResNet-32 experts on a shared stem and first stage, balanced softmax, CIFAR-100-LT, ratio 100; 30 epochs."""

_base_ = [
    '../_base_/models/resnet32_experts.py',
    '../_base_/datasets/cifar100lt.py',
    '../_base_/schedules/ldam_30e.py',
    '../_base_/experts_runtime.py',
]
