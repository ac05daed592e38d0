"""Binary cross entropy, thresholds by class from a hold-out, ResNet-8, several digits on a canvas; 60 epochs, batch 50."""

_base_ = ['resnet8_digitsmulti.py']

train_dataloader = dict(dataset=dict(protocol='cao-holdout'))
custom_hooks = [dict(type='ThresholdHook')]
