"""SADE, ResNet-32, CIFAR-10-LT, ratio 100; 200 epochs, for a GPU."""

_base_ = [
    '../_base_/models/resnet32_ride.py',
    '../_base_/datasets/cifar10lt_rotated.py',
    '../_base_/schedules/sade_200e.py',
    '../_base_/experts_runtime.py',
]

model = dict(
    type='SADEClassifier',
    backbone=dict(expert_width=1.0),
    experts=('forward', 'uniform', 'backward'),
    tau=2.0,
)
optim_wrapper = dict(optimizer=dict(lr=0.05))
