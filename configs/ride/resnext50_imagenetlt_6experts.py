"""RIDE with six experts, ResNeXt-50, ImageNet-LT; global batch 256, 100 epochs, learning rate 0.1: for GPUs.

Reported: 57.5 (many 68.9, medium 54.3, few 36.5).
Settings and their source: see `resnext50_imagenetlt.py`.
"""

_base_ = ['resnext50_imagenetlt.py']

model = dict(backbone=dict(num_experts=6))
