"""Knowledge distillation (KD), ResNet-8, digits-LT, ratio 50; 60 epochs, batch 64: seconds on a CPU."""

_base_ = ['../ce/resnet8_digitslt.py']

prerequisites = dict(teacher=dict(config='../ce/resnet8_digitslt.py'))
model = dict(
    type='DistillationClassifier',
    distill_heads=[dict(type='LogitDistillHead', temperature=2.0, weight=1.0)],
)
