"""Long-tailed distillation (LTKD), a reconstruction, ResNet-8, digits-LT, ratio 50; 60 epochs: seconds on a CPU."""

_base_ = ['../ce/resnet8_digitslt.py']

prerequisites = dict(teacher=dict(config='../ce/resnet8_digitslt.py'))
model = dict(
    type='LTKDClassifier',
    temperature=2.0,
    alpha=1.0,
    beta=1.0,
)
