"""CMO, ResNet-32, CIFAR-100-LT, ratio 100; 200 epochs."""

_base_ = ['../ce/resnet32_cifar100lt.py']

train_dataloader = dict(partner_sampler=dict(type='ClassBalancedSampler'))  # rare classes in the foreground
model = dict(type='MixingClassifier', mixing=dict(type='CMO', alpha=1.0, probability=0.5, first_epoch=4, end_epoch=197))
