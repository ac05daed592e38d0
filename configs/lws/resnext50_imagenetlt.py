"""LWS, ResNeXt-50, ImageNet-LT; global batch 512, 5 epochs on the 90-epoch CE run, learning rate 0.2: for GPUs.

Reported: 49.9 (many 60.2, medium 47.2, few 30.3).
An epoch has as many draws as if every class were as large as the largest.
Source of the settings: Kang et al., Decoupling (ICLR 2020), and its code.
"""

_base_ = ['../ce/resnext50_imagenetlt.py']

prerequisites = dict(backbone=dict(config='../ce/resnext50_imagenetlt.py'))
model = dict(type='LWSClassifier')
train_dataloader = dict(sampler=dict(_delete_=True, type='ClassAwareSampler', samples_per_class=4, length='max_count'))
train_cfg = dict(max_epochs=5)
