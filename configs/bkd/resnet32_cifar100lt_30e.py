"""Balanced knowledge distillation (BKD), ResNet-32, CIFAR-100-LT, ratio 100; 30 epochs."""

_base_ = ['../ce/resnet32_cifar100lt_30e.py']

prerequisites = dict(teacher=dict(config='../ce/resnet32_cifar100lt_30e.py'))
model = dict(
    type='BKDClassifier',
    temperature=2.0,
    alpha=1.0,
    beta=0.9999,
    reweight_start_epoch=0,
)
