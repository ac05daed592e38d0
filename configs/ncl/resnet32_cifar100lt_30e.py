"""Nested collaborative learning (NCL), three separate ResNet-32, CIFAR-100-LT, ratio 100; 30 epochs."""

_base_ = [
    '../_base_/models/resnet32_experts.py',
    '../_base_/datasets/cifar100lt.py',
    '../_base_/schedules/ldam_30e.py',
    '../_base_/experts_runtime.py',
]

model = dict(type='NCLClassifier', backbone=dict(shared_stages=0))
