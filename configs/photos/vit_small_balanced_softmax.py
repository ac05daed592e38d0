"""Balanced softmax, pretrained ViT-S/16, your photos at 224 pixels; 20 epochs."""

_base_ = ['vit_small_ce.py']

model = dict(loss=dict(_delete_=True, type='BalancedSoftmaxLoss'))
