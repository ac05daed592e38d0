"""RIDE with three experts, ResNet-50, ImageNet-LT; global batch 256, 100 epochs, learning rate 0.1: for GPUs.

Nothing is reported in the authors' table for this network; the settings are those of their file for it.
Settings and their source: see `resnext50_imagenetlt.py`.
"""

_base_ = ['resnext50_imagenetlt.py']

model = dict(backbone=dict(backbone=dict(model_name='resnet50')))
