"""Effective collaborative learning (ECL, a reconstruction), three ResNet-8 experts, digits-LT, ratio 50; seconds on a CPU."""

_base_ = ['../multi_expert/resnet8_digitslt.py']

data_preprocessor = dict(extra_views=[[dict(type='RandomCrop', padding=1)]])
model = dict(type='ECLClassifier', contrast=dict(dim=64, queue_size=256))
