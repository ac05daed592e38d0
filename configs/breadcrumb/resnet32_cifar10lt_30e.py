"""Breadcrumb, ResNet-32, CIFAR-10-LT, ratio 100; 30 epochs."""

_base_ = ['../ce/resnet32_cifar10lt_30e.py']

train_dataloader = dict(partner_sampler=dict(type='ClassAwareSampler'))  # four of a class in a row
model = dict(
    type='BreadcrumbClassifier',
    optimizer=dict(type='SGD', lr=0.1, momentum=0.9, weight_decay=2e-4),
    param_scheduler=[dict(type='MultiStepLR', milestones=[24, 27], gamma=0.01)],  # the network's, without its warm-up
)
