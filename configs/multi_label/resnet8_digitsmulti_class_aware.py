"""Binary cross entropy, class-aware sampling, ResNet-8, several digits on a canvas; 60 epochs, batch 50."""

_base_ = ['resnet8_digitsmulti.py']

train_dataloader = dict(sampler=dict(type='ClassAwareSampler', samples_per_class=1))
