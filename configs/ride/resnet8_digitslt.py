"""RIDE with three experts, ResNet-8, digits-LT, ratio 50; 60 epochs, batch 64: seconds on a CPU."""

_base_ = [
    '../_base_/models/resnet8_ride.py',
    '../_base_/datasets/digitslt.py',
    '../_base_/schedules/digits_60e.py',
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
