"""Vector-scaling loss, ResNet-32, CIFAR-100-LT, ratio 100; 200 epochs."""

_base_ = ['../ce/resnet32_cifar100lt.py']

model = dict(loss=dict(_delete_=True, type='VSLoss', gamma=0.15, tau=1.0))
