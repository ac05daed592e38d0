"""BalPoE with mixup, ResNet-32, CIFAR-100-LT, ratio 100; 30 epochs, bf16."""

_base_ = [
    '../_base_/models/resnet32_ride.py',
    '../_base_/datasets/cifar100lt.py',
    '../_base_/schedules/ldam_30e.py',
    '../_base_/experts_runtime.py',
]

train_dataloader = dict(partner_sampler=dict(type='ShuffleSampler'))  # where partners come from
model = dict(
    type='BalPoEClassifier',
    backbone=dict(expert_width=1.0),
    taus=(0.0, 1.0, 2.0),
    mixing=dict(type='Mixup', alpha=0.4),
)
