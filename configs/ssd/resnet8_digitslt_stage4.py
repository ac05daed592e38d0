"""SSD, stage 4: LWS on the hard head, ResNet-8, digits-LT, ratio 50; 40 epochs on stage 3: seconds on a CPU."""

_base_ = ['../lws/resnet8_digitslt.py']

prerequisites = dict(backbone=dict(config='resnet8_digitslt.py'))
model = dict(type='SSDScalingClassifier')
train_dataloader = dict(sampler=dict(samples_per_class=2))
train_cfg = dict(max_epochs=40)  # an epoch is six steps
