"""Distribution-balanced loss on class-aware images, ResNet-8, several digits on a canvas; 60 epochs, batch 50."""

_base_ = ['resnet8_digitsmulti.py']

model = dict(loss=dict(type='DistributionBalancedLoss'))
train_dataloader = dict(sampler=dict(type='ClassAwareSampler', samples_per_class=3))  # whose co-occurrences it undoes
