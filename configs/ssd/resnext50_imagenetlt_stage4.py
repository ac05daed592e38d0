"""SSD, stage 4: LWS on the hard head, ResNeXt-50, ImageNet-LT.

Global batch 512, 5 epochs on stage 3, learning rate 0.2: for GPUs.
Reported: 56.0 (many 66.8, medium 53.1, few 35.4), as a table of a later paper gives it.
Source of the settings: Li et al., Self Supervision to Distillation (ICCV 2021), and its code.
"""

_base_ = ['resnext50_imagenetlt_stage2.py']

prerequisites = dict(backbone=dict(config='resnext50_imagenetlt.py'))
model = dict(type='SSDScalingClassifier')
