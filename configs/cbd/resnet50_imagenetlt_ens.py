"""CBD-ENS: four teachers, two with colour jitter, ResNet-50, ImageNet-LT.

Global batch 128, 90 epochs, learning rate 0.05: for GPUs.
Reported: 55.6 (many 68.5, medium 52.7, few 29.2), as tables of later papers give it.
Source of the settings: Iscen et al., Class-Balanced Distillation (BMVC 2021), and its code.
"""

_base_ = ['resnet50_imagenetlt.py']

prerequisites = dict(
    teacher=[
        dict(config='resnet50_imagenetlt_teacher.py'),
        dict(config='resnet50_imagenetlt_teacher.py', seed_offset=1),
        dict(config='resnet50_imagenetlt_jitter.py', seed_offset=2),
        dict(config='resnet50_imagenetlt_jitter.py', seed_offset=3),
    ],
)
model = dict(
    neck=dict(type='ProjectionNeck', in_channels=2048, out_channels=8192),  # four teachers of 2,048 features
    head=dict(in_channels=8192),
)
