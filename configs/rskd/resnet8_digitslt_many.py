"""RSKD: many-shot teacher, cross entropy on its 3 classes, ResNet-8, digits-LT, ratio 50; 60 epochs: seconds on a CPU."""

_base_ = ['../ce/resnet8_digitslt.py']

train_dataloader = dict(classes=dict(group='many', convention='prior-lt'))
