"""Nested collaborative learning (NCL), three separate ResNet-8, digits-LT, ratio 50; seconds on a CPU."""

_base_ = ['../multi_expert/resnet8_digitslt.py']

model = dict(type='NCLClassifier', backbone=dict(shared_stages=0), head=dict(init='torch'))
train_dataloader = dict(drop_last=True)
