"""Balanced softmax, end to end, ResNet-10, ImageNet-LT; global batch 512, 90 epochs, learning rate 0.2: for GPUs.

No figure of the end-to-end run is at hand; the authors report 41.6 for a second stage with a learned sampler (BALMS), which is
not built here. Source of the settings: Ren et al., Balanced Meta-Softmax (NeurIPS 2020), and its code.
"""

_base_ = ['../ce/resnet10_imagenetlt.py']

model = dict(loss=dict(_delete_=True, type='BalancedSoftmaxLoss'))
