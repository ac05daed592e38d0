"""SADE, ResNet-152 pretrained on ImageNet, Places-LT; global batch 128, 30 epochs, learning rate 0.01: for GPUs.

The networks learn at a tenth of the classifiers' rate. Reported: 40.9, from weights that were pretrained with Caffe; these are
torchvision's, by timm's name.
Source of the settings: Zhang et al., SADE (NeurIPS 2022), and its code.
"""

_base_ = [
    '../_base_/models/resnext50_ride.py',
    '../_base_/datasets/places_lt.py',
    '../_base_/schedules/decoupling_90e.py',
    '../_base_/experts_runtime.py',
]

model = dict(
    type='SADEClassifier',
    backbone=dict(backbone=dict(model_name='resnet152.tv_in1k', pretrained=True), expert_width=1.0),
    experts=('forward', 'uniform', 'backward'),
    tau=1.0,
)
train_dataloader = dict(batch_size=128)
train_cfg = dict(max_epochs=30)
optim_wrapper = dict(
    optimizer=dict(lr=0.01, weight_decay=4e-4, nesterov=True),
    paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=0.1))),
)
param_scheduler = [dict(type='MultiStepLR', milestones=[10, 20], gamma=0.1)]
auto_scale_lr = dict(base_batch_size=128)
aggregation = dict(lr=0.01, weight_decay=4e-4)  # of `tools/test.py --aggregate`
