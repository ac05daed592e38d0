"""CMO, ResNet-8, digits-LT, ratio 50; 60 epochs, batch 64: seconds on a CPU."""

_base_ = ['../ce/resnet8_digitslt.py']

train_dataloader = dict(partner_sampler=dict(type='ClassBalancedSampler'))  # rare classes in the foreground
model = dict(type='MixingClassifier', mixing=dict(type='CMO', alpha=1.0, probability=0.5, first_epoch=4, end_epoch=57))
