"""Sigmoid focal loss, ResNet-8, several digits on a canvas; 60 epochs, batch 50."""

_base_ = ['resnet8_digitsmulti.py']

model = dict(loss=dict(type='BinaryFocalLoss', gamma=2.0))
