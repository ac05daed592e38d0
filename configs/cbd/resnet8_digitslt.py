"""Class-balanced distillation (CBD), one teacher, ResNet-8, digits-LT, ratio 50; 60 epochs: seconds on a CPU."""

_base_ = ['resnet8_digitslt_teacher.py']

prerequisites = dict(teacher=dict(config='resnet8_digitslt_teacher.py'))
model = dict(
    type='CBDClassifier',
    alpha=0.4,
    beta=100.0,
)
train_dataloader = dict(sampler=dict(type='ClassBalancedRepeatSampler'))
