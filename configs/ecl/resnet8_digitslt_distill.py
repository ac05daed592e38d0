"""ECL's parts, experts and re-weighted distillation alone; ResNet-8, digits-LT, ratio 50."""

_base_ = ['../multi_expert/resnet8_digitslt.py']

model = dict(type='ECLClassifier', contrast=None, feature_weight=0)
