"""RIDE with six experts (a teacher), ResNet-8, digits-LT, ratio 50; 60 epochs, batch 64: seconds on a CPU."""

_base_ = ['resnet8_digitslt.py']

model = dict(backbone=dict(num_experts=6))
