"""Effective collaborative learning (ECL, a reconstruction), three ResNet-8 experts, digits-LT, ratio 50; seconds on a CPU."""

_base_ = [
    '../_base_/models/resnet8_experts.py',
    '../_base_/datasets/digitslt.py',
    '../_base_/schedules/digits_60e.py',
    '../_base_/experts_runtime.py',
]

data_preprocessor = dict(extra_views=[[dict(type='RandomCrop', padding=1)]])
model = dict(type='ECLClassifier', contrast=dict(dim=64, queue_size=256))
