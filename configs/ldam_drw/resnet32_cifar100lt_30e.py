"""LDAM-DRW, ResNet-32, CIFAR-100-LT, ratio 100; 30 epochs."""

_base_ = ['../ce/resnet32_cifar100lt_30e.py']

model = dict(
    head=dict(type='CosineHead', scale=1.0),  # the loss scales
    loss=dict(_delete_=True, type='LDAMLoss', max_margin=0.5, scale=30.0),
    reweighting=dict(beta=0.9999, start_epoch='first_drop'),
)
