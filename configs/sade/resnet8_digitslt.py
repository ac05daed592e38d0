"""SADE, ResNet-8, digits-LT, ratio 50; 60 epochs, batch 64: seconds on a CPU."""

_base_ = [
    '../_base_/models/resnet8_ride.py',
    '../_base_/datasets/digitslt.py',
    '../_base_/schedules/digits_60e.py',
    '../_base_/experts_runtime.py',
]

model = dict(
    type='SADEClassifier',
    experts=('forward', 'uniform', 'backward'),
    tau=2.0,
)
