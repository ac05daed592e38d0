"""CE with a cosine head of scale 20, the teacher of CBD, ResNet-32, CIFAR-100-LT, ratio 100; 200 epochs, for a GPU."""

_base_ = ['../ce/resnet32_cifar100lt.py']

model = dict(head=dict(type='CosineHead', scale=20.0))
