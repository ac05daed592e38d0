"""CutMix, ResNet-32, CIFAR-10-LT, ratio 100; 200 epochs."""

_base_ = ['../ce/resnet32_cifar10lt.py']

train_dataloader = dict(partner_sampler=dict(type='ShuffleSampler'))  # where partners come from
model = dict(type='MixingClassifier', mixing=dict(type='CutMix', alpha=1.0, probability=0.5))
