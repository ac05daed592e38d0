"""SADE, ResNeXt-50, ImageNet-LT; global batch 64, 180 epochs, learning rate 0.025: for GPUs.

Reported: 58.8.
Source of the settings: Zhang et al., SADE (NeurIPS 2022), and its code.
"""

_base_ = [
    '../_base_/models/resnext50_ride.py',
    '../_base_/datasets/imagenet_lt.py',
    '../_base_/schedules/decoupling_90e.py',
    '../_base_/experts_runtime.py',
]

model = dict(type='SADEClassifier', experts=('forward', 'uniform', 'backward'), tau=2.0)
train_dataloader = dict(batch_size=64)
train_cfg = dict(max_epochs=180)
optim_wrapper = dict(optimizer=dict(lr=0.025, nesterov=True))
auto_scale_lr = dict(base_batch_size=64)
aggregation = dict(lr=0.025)  # of `tools/test.py --aggregate`
