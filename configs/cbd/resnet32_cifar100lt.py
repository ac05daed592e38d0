"""Class-balanced distillation (CBD), one teacher, ResNet-32, CIFAR-100-LT, ratio 100; 200 epochs, for a GPU."""

_base_ = ['resnet32_cifar100lt_teacher.py']

prerequisites = dict(teacher=dict(config='resnet32_cifar100lt_teacher.py'))
model = dict(
    type='CBDClassifier',
    alpha=0.4,
    beta=100.0,
)
train_dataloader = dict(sampler=dict(type='ClassBalancedRepeatSampler'))
