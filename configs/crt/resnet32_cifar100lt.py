"""cRT, ResNet-32, CIFAR-100-LT, ratio 100; 10 epochs on the 200-epoch CE run."""

_base_ = [
    '../_base_/models/resnet32_cifar.py',
    '../_base_/datasets/cifar100lt.py',
    '../_base_/schedules/stage2_10e.py',
    '../_base_/default_runtime.py',
]

prerequisites = dict(backbone=dict(config='../ce/resnet32_cifar100lt.py'))
model = dict(type='FrozenBackboneClassifier')  # with a new head
train_dataloader = dict(sampler=dict(_delete_=True, type='ClassAwareSampler', samples_per_class=4, length='dataset'))
precision = 'fp32'
