"""CE with a cosine head of scale 20, the teacher of CBD, ResNet-32, CIFAR-10-LT, ratio 100; 30 epochs, for a CPU."""

_base_ = ['../ce/resnet32_cifar10lt_30e.py']

model = dict(head=dict(type='CosineHead', scale=20.0))
