"""RIDE with three experts, ResNet-32, CIFAR-10-LT, ratio 100; 200 epochs, for a GPU."""

_base_ = [
    '../_base_/models/resnet32_ride.py',
    '../_base_/datasets/cifar10lt_rotated.py',
    '../_base_/schedules/ride_200e.py',
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
