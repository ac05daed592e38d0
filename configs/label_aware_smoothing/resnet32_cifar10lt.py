"""Label-aware smoothing, ResNet-32, CIFAR-10-LT, ratio 100; 200 epochs."""

_base_ = ['../ce/resnet32_cifar10lt.py']

model = dict(loss=dict(_delete_=True, type='LabelAwareSmoothingLoss', head=0.3, tail=0.0))
