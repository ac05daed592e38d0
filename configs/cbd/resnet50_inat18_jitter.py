"""CE with SimCLR's colour jitter, a teacher of CBD-ENS, ResNet-50, iNaturalist 2018.

Global batch 128, 200 epochs, learning rate 0.05: for GPUs.
Nothing is reported for the teacher alone.
Source of the settings: Iscen et al., Class-Balanced Distillation (BMVC 2021), and its code.
"""

_base_ = ['resnet50_inat18_teacher.py']

data_preprocessor = dict(
    train_transforms=[
        dict(type='RandomFlip'),
        dict(type='ColorJitter', brightness=0.8, contrast=0.8, saturation=0.8, hue=0.2, probability=0.8),
        dict(type='RandomGrayscale', probability=0.2),
    ],
)
