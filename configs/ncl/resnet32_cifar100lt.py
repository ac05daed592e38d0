"""Nested collaborative learning (NCL), three separate ResNet-32, CIFAR-100-LT, ratio 100; 200 epochs, for a GPU."""

_base_ = ['../multi_expert/resnet32_cifar100lt.py']

model = dict(type='NCLClassifier', backbone=dict(shared_stages=0), head=dict(init='torch'))
train_dataloader = dict(drop_last=True)
