"""Class-balanced distillation (CBD), one teacher, ResNet-8, digits-LT, ratio 50; 60 epochs: seconds on a CPU."""

_base_ = ['../ce/resnet8_digitslt.py']

prerequisites = dict(teacher=dict(config='../ce/resnet8_digitslt.py'))
model = dict(
    type='CBDClassifier',
    alpha=0.4,
    beta=100.0,
    head=dict(type='CosineHead', scale=20.0),
)
train_dataloader = dict(sampler=dict(type='ClassBalancedRepeatSampler'))
