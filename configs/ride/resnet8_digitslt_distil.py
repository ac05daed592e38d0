"""RIDE with three experts taught by six, ResNet-8, digits-LT, ratio 50; 60 epochs, batch 64: seconds on a CPU."""

_base_ = ['resnet8_digitslt.py']

prerequisites = dict(teacher=dict(config='resnet8_digitslt_6experts.py'))
model = dict(
    type='RIDEDistillationClassifier',
    distill_heads=[dict(type='LogitDistillHead', temperature=1.5, weight=1.0)],
)
