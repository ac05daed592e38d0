"""Class-dependent temperatures, ResNet-8, digits-LT, ratio 50; 60 epochs, batch 64: seconds on a CPU."""

_base_ = ['../ce/resnet8_digitslt.py']

model = dict(loss=dict(_delete_=True, type='CDTLoss', gamma=0.2))
