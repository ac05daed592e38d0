"""Class-balanced focal loss, ResNet-32, CIFAR-100-LT, ratio 100; 30 epochs."""

_base_ = ['../ce/resnet32_cifar100lt_30e.py']

model = dict(
    loss=dict(_delete_=True, type='FocalLoss', gamma=1.0),
    reweighting=dict(beta=0.9999),  # effective number, from the first epoch
)
