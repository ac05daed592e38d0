"""RIDE with three experts, ResNeXt-50, ImageNet-LT; global batch 256, 100 epochs, learning rate 0.1: for GPUs.

Reported: 55.7 (many 67.0, medium 52.2, few 36.0), with the authors' choice of experts for each image, which is not built.
The weights of the classes begin with the second drop of the learning rate.
Source of the settings: Wang et al., RIDE (ICLR 2021), and its code.
"""

_base_ = [
    '../_base_/models/resnext50_ride.py',
    '../_base_/datasets/imagenet_lt.py',
    '../_base_/schedules/decoupling_90e.py',
    '../_base_/experts_runtime.py',
]

model = dict(
    type='RIDEClassifier',
    head=dict(_delete_=True, type='CosineHead'),
    scale=30.0,  # of heads and margins
    max_margin=0.5,
    diversity=-0.2,
    eta=0.02,
    reweighting=dict(beta=0.9999, start_epoch=80),
)
train_dataloader = dict(batch_size=256)
train_cfg = dict(max_epochs=100)
optim_wrapper = dict(optimizer=dict(lr=0.1, weight_decay=2e-4, nesterov=True))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.2, begin=0, end=5),  # lr * epoch / 5, epochs counted from 1
    dict(type='MultiStepLR', milestones=[60, 80], gamma=0.1),
]
auto_scale_lr = dict(base_batch_size=256)
