"""Class-aware sampling, ResNet-32, CIFAR-100-LT, ratio 100; 200 epochs."""

_base_ = ['../ce/resnet32_cifar100lt.py']

train_dataloader = dict(sampler=dict(_delete_=True, type='ClassAwareSampler', samples_per_class=4, length='dataset'))
