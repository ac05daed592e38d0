"""CE with SimCLR's colour jitter, a teacher of CBD-ENS, ResNet-8, digits-LT, ratio 50; 60 epochs: seconds on a CPU."""

_base_ = ['resnet8_digitslt_teacher.py']

data_preprocessor = dict(
    train_transforms=[
        dict(type='RandomCrop', padding=1),
        dict(type='ColorJitter', brightness=0.8, contrast=0.8, saturation=0, hue=0, probability=0.8),  # they are grey
    ],
)
