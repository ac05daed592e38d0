"""RIDE with three experts taught by six, ResNet-32, CIFAR-100-LT, ratio 100; 200 epochs, for a GPU."""

_base_ = ['resnet32_cifar100lt.py']

prerequisites = dict(teacher=dict(config='resnet32_cifar100lt_6experts.py'))
model = dict(
    type='RIDEDistillationClassifier',
    distill_heads=[dict(type='LogitDistillHead', temperature=1.5, weight=1.0)],
)
