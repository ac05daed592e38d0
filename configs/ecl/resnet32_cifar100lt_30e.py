"""Effective collaborative learning (ECL, a reconstruction), three ResNet-32 experts, CIFAR-100-LT, ratio 100; 30 epochs."""

_base_ = [
    '../_base_/models/resnet32_experts.py',
    '../_base_/datasets/cifar100lt.py',
    '../_base_/schedules/ldam_30e.py',
    '../_base_/experts_runtime.py',
]

data_preprocessor = dict(
    extra_views=[
        [
            dict(type='RandomCrop', padding=4),
            dict(type='RandomFlip'),
            dict(type='ColorJitter', brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1, probability=0.8),
            dict(type='RandomGrayscale', probability=0.2),
        ]
    ]
)
model = dict(type='ECLClassifier', contrast=dict(dim=64, queue_size=1024))
