"""Breadcrumb, ResNet-10, ImageNet-LT; global batch 512, 200 epochs, learning rate 0.2 for both heads: for GPUs.

No figure that was seen is reported for it. The learning rate of the balanced head, which has an optimizer of its own, does not
follow the global batch by itself: change `model.optimizer.lr` with it.
Source of the settings: Liu et al., Breadcrumbs (ECCV 2022), and its code.
"""

_base_ = ['../ce/resnet10_imagenetlt.py']

train_dataloader = dict(partner_sampler=dict(type='ClassAwareSampler'))  # four of a class in a row
train_cfg = dict(max_epochs=200)
model = dict(
    type='BreadcrumbClassifier',
    head=dict(init='torch'),
    optimizer=dict(type='SGD', lr=0.2, momentum=0.9, weight_decay=5e-4),
    param_scheduler={{_base_.param_scheduler}},
)
