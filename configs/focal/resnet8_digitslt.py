"""Focal loss (gamma 1), ResNet-8, digits-LT, ratio 50; 60 epochs, batch 64: seconds on a CPU."""

_base_ = [
    '../_base_/models/resnet8_cifar.py',
    '../_base_/datasets/digitslt.py',
    '../_base_/schedules/digits_60e.py',
    '../_base_/default_runtime.py',
]

model = dict(loss=dict(_delete_=True, type='FocalLoss', gamma=1.0))
