"""Knowledge distillation (KD), ResNet-32, CIFAR-10-LT, ratio 100; 30 epochs."""

_base_ = ['../ce/resnet32_cifar10lt_30e.py']

prerequisites = dict(teacher=dict(config='../ce/resnet32_cifar10lt_30e.py'))
model = dict(
    type='DistillationClassifier',
    distill_heads=[dict(type='LogitDistillHead', temperature=2.0, weight=1.0)],
)
