"""MiSLAS stage 2, ResNet-32, CIFAR-100-LT, ratio 100; 10 epochs on its first stage."""

_base_ = [
    '../_base_/models/resnet32_cifar.py',
    '../_base_/datasets/cifar100lt.py',
    '../_base_/schedules/stage2_10e.py',
    '../_base_/default_runtime.py',
]

prerequisites = dict(backbone=dict(config='resnet32_cifar100lt_stage1.py'))
model = dict(
    type='LWSClassifier',
    freeze_head=False,
    shift_bn=True,
    loss=dict(_delete_=True, type='LabelAwareSmoothingLoss', head=0.4, tail=0.1),
)
train_dataloader = dict(sampler=dict(_delete_=True, type='ClassAwareSampler', samples_per_class=4))
optim_wrapper = dict(paramwise_cfg=dict(custom_keys=dict(head=dict(lr_mult=0.2))))  # the scales learn at 0.1
precision = 'fp32'
