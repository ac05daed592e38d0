"""Class-balanced sampling, ResNet-8, digits-LT, ratio 50; 60 epochs, batch 64: seconds on a CPU."""

_base_ = ['../ce/resnet8_digitslt.py']

train_dataloader = dict(sampler=dict(_delete_=True, type='ClassBalancedSampler'))
