"""SSD, stage 3 after stages 1 and 2, ResNet-8, digits-LT, ratio 50; 60 epochs: seconds on a CPU."""

_base_ = ['../ce/resnet8_digitslt.py']

prerequisites = dict(teacher=dict(config='resnet8_digitslt_stage2.py'))
model = dict(type='SSDClassifier', temperature=2.0)
