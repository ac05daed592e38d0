"""cRT, ResNet-8, digits-LT, ratio 50; 10 epochs on the 60-epoch CE run: seconds on a CPU."""

_base_ = [
    '../_base_/models/resnet8_cifar.py',
    '../_base_/datasets/digitslt.py',
    '../_base_/schedules/stage2_10e.py',
    '../_base_/default_runtime.py',
]

prerequisites = dict(backbone=dict(config='../ce/resnet8_digitslt.py'))
model = dict(type='FrozenBackboneClassifier')  # with a new head
train_dataloader = dict(sampler=dict(_delete_=True, type='ClassAwareSampler', samples_per_class=4, length='dataset'))
precision = 'fp32'
