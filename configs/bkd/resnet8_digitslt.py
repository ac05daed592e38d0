"""Balanced knowledge distillation (BKD), ResNet-8, digits-LT, ratio 50; 60 epochs, batch 64: seconds on a CPU."""

_base_ = ['../ce/resnet8_digitslt.py']

prerequisites = dict(teacher=dict(config='../ce/resnet8_digitslt.py'))
model = dict(
    type='BKDClassifier',
    temperature=2.0,
    alpha=1.0,
    beta=0.9999,
    reweight_start_epoch=0,
)
