"""RIDE with three experts, ResNet-32, CIFAR-100-LT, ratio 100; 30 epochs, bf16."""

_base_ = [
    '../_base_/models/resnet32_ride.py',
    '../_base_/datasets/cifar100lt.py',
    '../_base_/schedules/ldam_30e.py',
    '../_base_/experts_runtime.py',
]

model = dict(
    type='RIDEClassifier',
    head=dict(_delete_=True, type='CosineHead'),
    scale=30.0,  # of heads and margins
    max_margin=0.5,
    diversity=-0.45,
    eta=0.05,
    reweighting=dict(beta=0.9999, start_epoch='first_drop'),
)
