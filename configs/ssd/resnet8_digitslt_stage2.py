"""SSD, stage 2: LWS, the teacher of stage 3, ResNet-8, digits-LT, ratio 50; 40 epochs on stage 1: seconds on a CPU."""

_base_ = ['../lws/resnet8_digitslt.py']

prerequisites = dict(backbone=dict(config='resnet8_digitslt_stage1.py'))
train_dataloader = dict(sampler=dict(samples_per_class=2))
train_cfg = dict(max_epochs=40)  # an epoch is six steps
