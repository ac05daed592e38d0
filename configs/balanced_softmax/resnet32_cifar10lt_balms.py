"""Balanced softmax by its authors' recipe, ResNet-32, CIFAR-10-LT, ratio 100; 520 epochs: for a GPU.

AutoAugment and Cutout, batch 512, 13,000 steps (25 an epoch), warm-up over 800 of them from 0.05 to 0.1, then a cosine.
"""

_base_ = [
    '../_base_/models/resnet32_cifar.py',
    '../_base_/datasets/cifar10lt_strong.py',
    '../_base_/default_runtime.py',
]

model = dict(head=dict(init='torch'), loss=dict(_delete_=True, type='BalancedSoftmaxLoss'))
train_dataloader = dict(batch_size=512)
train_cfg = dict(type='EpochTrainLoop', max_epochs=520)
optim_wrapper = dict(
    type='PrecisionOptimWrapper',
    optimizer=dict(type='SGD', lr=0.1, momentum=0.9, weight_decay=5e-4, fused=True),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.5, begin=0, end=33),
    dict(type='CosineAnnealingLR', begin=32, end=520, eta_min=0.0),
]
precision = 'fp32'
