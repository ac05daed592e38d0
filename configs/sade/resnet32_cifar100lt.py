"""SADE, ResNet-32, CIFAR-100-LT, ratio 100; 200 epochs, for a GPU."""

_base_ = [
    '../_base_/models/resnet32_ride.py',
    '../_base_/datasets/cifar100lt_rotated.py',
    '../_base_/schedules/sade_200e.py',
    '../_base_/experts_runtime.py',
]

model = dict(
    type='SADEClassifier',
    experts=('forward', 'uniform', 'backward'),
    tau=2.0,
)
