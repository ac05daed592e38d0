"""ECL's parts, experts and distillation without weights alone; ResNet-8, digits-LT, ratio 50."""

_base_ = ['../multi_expert/resnet8_digitslt.py']

model = dict(type='ECLClassifier', contrast=None, feature_weight=0, weighting='none')
