"""SADE, ResNet-32, CIFAR-100-LT, ratio 100; 30 epochs, bf16."""

_base_ = [
    '../_base_/models/resnet32_ride.py',
    '../_base_/datasets/cifar100lt.py',
    '../_base_/schedules/ldam_30e.py',
    '../_base_/experts_runtime.py',
]

model = dict(
    type='SADEClassifier',
    experts=('forward', 'uniform', 'backward'),
    tau=2.0,
)
