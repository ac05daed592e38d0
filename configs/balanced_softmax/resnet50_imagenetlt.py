"""Balanced softmax, end to end, ResNet-50, ImageNet-LT; our settings: global batch 512, 90 epochs, learning rate 0.2: for GPUs.

The authors published a recipe for ResNet-10 alone; this is the same, which is Decoupling's, with another network.
"""

_base_ = ['../ce/resnet50_imagenetlt.py']

model = dict(loss=dict(_delete_=True, type='BalancedSoftmaxLoss'))
