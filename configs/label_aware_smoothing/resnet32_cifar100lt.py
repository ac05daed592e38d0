"""Label-aware smoothing, ResNet-32, CIFAR-100-LT, ratio 100; 200 epochs."""

_base_ = ['../ce/resnet32_cifar100lt.py']

model = dict(loss=dict(_delete_=True, type='LabelAwareSmoothingLoss', head=0.4, tail=0.1))
