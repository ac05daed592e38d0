"""Class-balanced distillation (CBD), one teacher, ResNet-50, iNaturalist 2018.

Global batch 128, 200 epochs, learning rate 0.05: for GPUs.
No figure of one teacher is at hand; for four see `resnet50_inat18_ens.py`. Both stages take 200 epochs.
Source of the settings: Iscen et al., Class-Balanced Distillation (BMVC 2021), and its code.
"""

_base_ = ['resnet50_inat18_teacher.py']

prerequisites = dict(teacher=dict(config='resnet50_inat18_teacher.py'))
model = dict(
    type='CBDClassifier',
    alpha=0.4,
    beta=100.0,
)
train_dataloader = dict(sampler=dict(type='ClassBalancedRepeatSampler'))
