"""Nested collaborative learning (NCL), three separate ResNet-8, digits-LT, ratio 50; seconds on a CPU."""

_base_ = [
    '../_base_/models/resnet8_experts.py',
    '../_base_/datasets/digitslt.py',
    '../_base_/schedules/digits_60e.py',
    '../_base_/experts_runtime.py',
]

model = dict(type='NCLClassifier', backbone=dict(shared_stages=0))
