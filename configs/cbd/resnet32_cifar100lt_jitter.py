"""CE with SimCLR's colour jitter, a teacher of CBD-ENS, ResNet-32, CIFAR-100-LT, ratio 100; 200 epochs, for a GPU."""

_base_ = ['resnet32_cifar100lt_teacher.py']

data_preprocessor = dict(
    train_transforms=[
        dict(type='RandomCrop', padding=4),
        dict(type='RandomFlip'),
        dict(type='ColorJitter', brightness=0.8, contrast=0.8, saturation=0.8, hue=0.2, probability=0.8),
        dict(type='RandomGrayscale', probability=0.2),
    ],
)
