"""CBD-ENS: four teachers, two with colour jitter, ResNet-32, CIFAR-10-LT, ratio 100; 30 epochs, for a CPU."""

_base_ = ['resnet32_cifar10lt_30e.py']

prerequisites = dict(
    teacher=[
        dict(config='resnet32_cifar10lt_teacher_30e.py'),
        dict(config='resnet32_cifar10lt_teacher_30e.py', seed_offset=1),
        dict(config='resnet32_cifar10lt_jitter_30e.py', seed_offset=2),
        dict(config='resnet32_cifar10lt_jitter_30e.py', seed_offset=3),
    ],
)
model = dict(
    neck=dict(type='ProjectionNeck', in_channels=64, out_channels=256),  # four teachers of 64 features
    head=dict(in_channels=256),
)
