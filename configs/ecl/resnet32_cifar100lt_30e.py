"""Effective collaborative learning (ECL, a reconstruction), three ResNet-32 experts, CIFAR-100-LT, ratio 100; 30 epochs."""

_base_ = [
    '../_base_/models/resnet32_experts.py',
    '../_base_/datasets/cifar100lt_two_views.py',
    '../_base_/schedules/ldam_30e.py',
    '../_base_/experts_runtime.py',
]

model = dict(type='ECLClassifier', contrast=dict(dim=64, queue_size=1024))
