"""Balanced softmax, pretrained ResNet-50, your photos at 224 pixels; 20 epochs."""

_base_ = ['resnet50_ce.py']

model = dict(loss=dict(_delete_=True, type='BalancedSoftmaxLoss'))
