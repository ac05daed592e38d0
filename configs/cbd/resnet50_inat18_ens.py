"""CBD-ENS: four teachers, two with colour jitter, ResNet-50, iNaturalist 2018.

Global batch 128, 200 epochs, learning rate 0.05: for GPUs.
Reported: 73.6 (many 75.9, medium 74.7, few 71.5), as tables of later papers give it.
Source of the settings: Iscen et al., Class-Balanced Distillation (BMVC 2021), and its code.
"""

_base_ = ['resnet50_inat18.py']

prerequisites = dict(
    teacher=[
        dict(config='resnet50_inat18_teacher.py'),
        dict(config='resnet50_inat18_teacher.py', seed_offset=1),
        dict(config='resnet50_inat18_jitter.py', seed_offset=2),
        dict(config='resnet50_inat18_jitter.py', seed_offset=3),
    ],
)
model = dict(
    neck=dict(type='ProjectionNeck', in_channels=2048, out_channels=8192),  # four teachers of 2,048 features
    head=dict(in_channels=8192),
)
