"""mixup, ResNet-8, digits-LT, ratio 50; 60 epochs, batch 64: seconds on a CPU."""

_base_ = ['../ce/resnet8_digitslt.py']

train_dataloader = dict(partner_sampler=dict(type='ShuffleSampler'))  # where partners come from
model = dict(type='MixingClassifier', mixing=dict(type='Mixup', alpha=1.0))
