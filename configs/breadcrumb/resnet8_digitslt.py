"""Breadcrumb, ResNet-8, digits-LT, ratio 50; 60 epochs: seconds on a CPU."""

_base_ = ['../ce/resnet8_digitslt.py']

train_dataloader = dict(partner_sampler=dict(type='ClassAwareSampler'))  # four of a class in a row
model = dict(
    type='BreadcrumbClassifier',
    optimizer=dict(type='SGD', lr=0.1, momentum=0.9, weight_decay=5e-4),
    param_scheduler={{_base_.param_scheduler}},
)
