"""RSKD, a reconstruction: three teachers by shot, ResNet-32, CIFAR-10-LT, ratio 100; 200 epochs."""

_base_ = ['../ce/resnet32_cifar10lt.py']

prerequisites = dict(
    teacher=[
        dict(config='resnet32_cifar10lt_many.py'),
        dict(config='resnet32_cifar10lt_medium.py'),
        dict(config='resnet32_cifar10lt_few.py'),
    ],
)
model = dict(type='RSKDClassifier', temperature=2.0, alpha=1.0)
