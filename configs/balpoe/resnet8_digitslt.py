"""BalPoE with mixup, ResNet-8, digits-LT, ratio 50; 60 epochs, batch 64: seconds on a CPU."""

_base_ = [
    '../_base_/models/resnet8_ride.py',
    '../_base_/datasets/digitslt.py',
    '../_base_/schedules/digits_60e.py',
    '../_base_/experts_runtime.py',
]

train_dataloader = dict(partner_sampler=dict(type='ShuffleSampler'))  # where partners come from
model = dict(
    type='BalPoEClassifier',
    backbone=dict(expert_width=1.0),
    taus=(0.0, 1.0, 2.0),
    mixing=dict(type='Mixup', alpha=0.4),
)
