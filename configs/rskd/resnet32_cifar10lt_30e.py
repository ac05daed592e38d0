"""RSKD, a reconstruction: three teachers by shot, ResNet-32, CIFAR-10-LT, ratio 100; 30 epochs."""

_base_ = ['../ce/resnet32_cifar10lt_30e.py']

prerequisites = dict(
    teacher=[
        dict(config='resnet32_cifar10lt_many_30e.py'),
        dict(config='resnet32_cifar10lt_medium_30e.py'),
        dict(config='resnet32_cifar10lt_few_30e.py'),
    ],
)
model = dict(type='RSKDClassifier', temperature=2.0, alpha=1.0)
