"""Knowledge distillation (KD), ResNet-32, CIFAR-10-LT, ratio 100; 200 epochs, for a GPU."""

_base_ = ['../ce/resnet32_cifar10lt.py']

prerequisites = dict(teacher=dict(config='../ce/resnet32_cifar10lt.py'))
model = dict(
    type='DistillationClassifier',
    distill_heads=[dict(type='LogitDistillHead', temperature=2.0, weight=1.0)],
)
