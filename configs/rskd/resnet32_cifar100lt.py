"""RSKD, a reconstruction: three teachers by shot, ResNet-32, CIFAR-100-LT, ratio 100; 200 epochs."""

_base_ = ['../ce/resnet32_cifar100lt.py']

prerequisites = dict(
    teacher=[
        dict(config='resnet32_cifar100lt_many.py'),
        dict(config='resnet32_cifar100lt_medium.py'),
        dict(config='resnet32_cifar100lt_few.py'),
    ],
)
model = dict(type='RSKDClassifier', temperature=2.0, alpha=1.0)
