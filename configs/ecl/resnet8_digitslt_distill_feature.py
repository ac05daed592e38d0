"""ECL's parts, experts, re-weighted distillation and feature distillation, no contrast; ResNet-8, digits-LT, ratio 50."""

_base_ = ['../multi_expert/resnet8_digitslt.py']

model = dict(type='ECLClassifier', contrast=None)
