"""Distilling virtual examples (DiVE), ResNet-8, digits-LT, ratio 50; 60 epochs: seconds on a CPU."""

_base_ = ['../balanced_softmax/resnet8_digitslt.py']

prerequisites = dict(teacher=dict(config='../balanced_softmax/resnet8_digitslt.py'))
model = dict(
    type='DiVEClassifier',
    temperature=3.0,
    alpha=0.5,
    power=0.5,
)
