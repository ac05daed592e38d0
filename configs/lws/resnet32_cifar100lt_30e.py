"""LWS, ResNet-32, CIFAR-100-LT, ratio 100; 5 epochs on the 30-epoch CE run."""

_base_ = [
    '../_base_/models/resnet32_cifar.py',
    '../_base_/datasets/cifar100lt.py',
    '../_base_/schedules/stage2_10e.py',
    '../_base_/default_runtime.py',
]

prerequisites = dict(backbone=dict(config='../ce/resnet32_cifar100lt_30e.py'))
model = dict(type='LWSClassifier')
train_dataloader = dict(sampler=dict(_delete_=True, type='ClassAwareSampler', samples_per_class=4, length='dataset'))
train_cfg = dict(max_epochs=5)
precision = 'bf16'
