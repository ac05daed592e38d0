"""RSKD: many-shot teacher, binary cross entropy on its 7 classes, ResNet-8, several digits on a canvas; 60 epochs."""

_base_ = ['../multi_label/resnet8_digitsmulti.py']

train_dataloader = dict(classes=dict(group='many', convention='standard'))
