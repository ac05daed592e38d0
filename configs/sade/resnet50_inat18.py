"""SADE, ResNet-50, iNaturalist 2018; global batch 512, 100 epochs, learning rate 0.2: for GPUs.

Reported: 72.9.
Source of the settings: Zhang et al., SADE (NeurIPS 2022), and its code.
"""

_base_ = [
    '../_base_/models/resnext50_ride.py',
    '../_base_/datasets/inat18.py',
    '../_base_/schedules/decoupling_90e.py',
    '../_base_/experts_runtime.py',
]

model = dict(
    type='SADEClassifier',
    backbone=dict(backbone=dict(model_name='resnet50')),
    experts=('forward', 'uniform', 'backward'),
    tau=1.0,
)
train_cfg = dict(max_epochs=100)
optim_wrapper = dict(optimizer=dict(weight_decay=2e-4, nesterov=True))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.2, begin=0, end=5),  # lr * epoch / 5, epochs counted from 1
    dict(type='MultiStepLR', milestones=[60, 80], gamma=0.1),
]
aggregation = dict(lr=0.2, weight_decay=2e-4)  # of `tools/test.py --aggregate`
