"""Nested collaborative learning (NCL), three separate ResNet-32, CIFAR-100-LT, ratio 100; its own recipe of 400 epochs."""

_base_ = ['../multi_expert/resnet32_cifar100lt_strong_400e.py']

model = dict(type='NCLClassifier', backbone=dict(shared_stages=0), head=dict(init='torch'))
train_dataloader = dict(drop_last=True)
