"""MiSLAS stage 2, ResNet-8, digits-LT, ratio 50; 10 epochs on the 60-epoch mixup run: seconds on a CPU."""

_base_ = [
    '../_base_/models/resnet8_cifar.py',
    '../_base_/datasets/digitslt.py',
    '../_base_/schedules/stage2_10e.py',
    '../_base_/default_runtime.py',
]

prerequisites = dict(backbone=dict(config='../mixup/resnet8_digitslt.py'))
model = dict(
    type='LWSClassifier',
    freeze_head=False,
    shift_bn=False,
    loss=dict(_delete_=True, type='LabelAwareSmoothingLoss', head=0.3, tail=0.0),
)
train_dataloader = dict(sampler=dict(_delete_=True, type='ClassAwareSampler', samples_per_class=4))
optim_wrapper = dict(paramwise_cfg=dict(custom_keys=dict(head=dict(lr_mult=0.5))))  # the scales learn at 0.1
precision = 'fp32'
