"""SSD, stage 2: LWS, the teacher of stage 3, ResNeXt-50, ImageNet-LT.

Global batch 512, 5 epochs on stage 1, learning rate 0.2: for GPUs.
Nothing is reported for this stage alone. An epoch has as many draws as the data set has images.
Source of the settings: Li et al., Self Supervision to Distillation (ICCV 2021), and its code.
"""

_base_ = ['../lws/resnext50_imagenetlt.py']

prerequisites = dict(backbone=dict(config='resnext50_imagenetlt_stage1.py'))
train_dataloader = dict(drop_last=True, sampler=dict(samples_per_class=2, length='dataset'))
