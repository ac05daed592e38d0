"""Class-balanced distillation (CBD), one teacher, ResNet-32, CIFAR-100-LT, ratio 100; 30 epochs, for a CPU."""

_base_ = ['resnet32_cifar100lt_teacher_30e.py']

prerequisites = dict(teacher=dict(config='resnet32_cifar100lt_teacher_30e.py'))
model = dict(
    type='CBDClassifier',
    alpha=0.4,
    beta=100.0,
)
train_dataloader = dict(sampler=dict(type='ClassBalancedRepeatSampler'))
