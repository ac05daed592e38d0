"""LDAM, ResNet-32, CIFAR-10-LT, ratio 100; 30 epochs."""

_base_ = ['../ce/resnet32_cifar10lt_30e.py']

model = dict(
    head=dict(type='CosineHead', scale=1.0),  # the loss scales
    loss=dict(_delete_=True, type='LDAMLoss', max_margin=0.5, scale=30.0),
)
