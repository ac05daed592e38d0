"""CBD-ENS: four teachers, two with colour jitter, ResNet-8, digits-LT, ratio 50; 60 epochs: seconds on a CPU."""

_base_ = ['resnet8_digitslt.py']

prerequisites = dict(
    teacher=[
        dict(config='resnet8_digitslt_teacher.py'),
        dict(config='resnet8_digitslt_teacher.py', seed_offset=1),
        dict(config='resnet8_digitslt_jitter.py', seed_offset=2),
        dict(config='resnet8_digitslt_jitter.py', seed_offset=3),
    ],
)
model = dict(
    neck=dict(type='ProjectionNeck', in_channels=64, out_channels=256),  # four teachers of 64 features
    head=dict(in_channels=256),
)
