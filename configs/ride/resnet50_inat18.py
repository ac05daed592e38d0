"""RIDE with three experts, ResNet-50, iNaturalist 2018; global batch 512, 100 epochs, learning rate 0.2: for GPUs.

Reported: 71.2 (many 70.2, medium 71.2, few 71.6), with the authors' choice of experts for each image, which is not built.
The weights of the classes begin with the second drop of the learning rate.
Source of the settings: Wang et al., RIDE (ICLR 2021), and its code.
"""

_base_ = [
    '../_base_/models/resnext50_ride.py',
    '../_base_/datasets/inat18.py',
    '../_base_/schedules/decoupling_90e.py',
    '../_base_/experts_runtime.py',
]

model = dict(
    type='RIDEClassifier',
    backbone=dict(backbone=dict(model_name='resnet50')),
    head=dict(_delete_=True, type='CosineHead'),
    scale=30.0,  # of heads and margins
    max_margin=0.5,
    diversity=-0.2,
    eta=0.015,
    reweighting=dict(beta=0.9999, start_epoch=80),
)
train_cfg = dict(max_epochs=100)
optim_wrapper = dict(optimizer=dict(weight_decay=2e-4, nesterov=True))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.2, begin=0, end=5),  # lr * epoch / 5, epochs counted from 1
    dict(type='MultiStepLR', milestones=[60, 80], gamma=0.1),
]
