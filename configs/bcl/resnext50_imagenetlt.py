"""BCL, ResNeXt-50, ImageNet-LT; global batch 256, 90 epochs, learning rate 0.1: for GPUs.

Reported: 57.2.
The authors contrast all images of a step, which here every GPU does with its own. Their cosine is one epoch ahead of this one.
Source of the settings: Zhu et al., Balanced Contrastive Learning (CVPR 2022), and its code (`main.py`, its `sim-sim`).
"""

_base_ = ['resnet50_imagenetlt.py']

model = dict(backbone=dict(model_name='resnext50_32x4d'))
