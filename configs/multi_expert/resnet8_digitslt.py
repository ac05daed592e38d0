"""Three ResNet-8 experts on a shared stem and first stage, balanced softmax, digits-LT, ratio 50; seconds on a CPU."""

_base_ = [
    '../_base_/models/resnet8_experts.py',
    '../_base_/datasets/digitslt.py',
    '../_base_/schedules/digits_60e.py',
    '../_base_/experts_runtime.py',
]
