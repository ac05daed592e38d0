"""CE with deferred re-weighting, ResNet-32, CIFAR-10-LT, ratio 100; 30 epochs."""

_base_ = ['../ce/resnet32_cifar10lt_30e.py']

model = dict(reweighting=dict(beta=0.9999, start_epoch='first_drop'))
