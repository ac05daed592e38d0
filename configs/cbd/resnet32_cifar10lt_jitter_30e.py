"""CE with SimCLR's colour jitter, a teacher of CBD-ENS, ResNet-32, CIFAR-10-LT, ratio 100; 30 epochs, for a CPU."""

_base_ = ['resnet32_cifar10lt_teacher_30e.py']

data_preprocessor = dict(
    train_transforms=[
        dict(type='RandomCrop', padding=4),
        dict(type='RandomFlip'),
        dict(type='ColorJitter', brightness=0.8, contrast=0.8, saturation=0.8, hue=0.2, probability=0.8),
        dict(type='RandomGrayscale', probability=0.2),
    ],
)
