"""mixup, ResNet-32, CIFAR-10-LT, ratio 100; 30 epochs."""

_base_ = ['../ce/resnet32_cifar10lt_30e.py']

train_dataloader = dict(partner_sampler=dict(type='ShuffleSampler'))  # where partners come from
model = dict(type='MixingClassifier', mixing=dict(type='Mixup', alpha=1.0))
