"""Class-balanced distillation (CBD), one teacher, ResNet-32, CIFAR-100-LT, ratio 100; 30 epochs, for a CPU."""

_base_ = ['../ce/resnet32_cifar100lt_30e.py']

prerequisites = dict(teacher=dict(config='../ce/resnet32_cifar100lt_30e.py'))
model = dict(
    type='CBDClassifier',
    alpha=0.4,
    beta=100.0,
    head=dict(type='CosineHead', scale=20.0),
)
train_dataloader = dict(sampler=dict(type='ClassBalancedRepeatSampler'))
