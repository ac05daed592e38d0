"""Long-tailed distillation (LTKD), a reconstruction, ResNet-32, CIFAR-100-LT, ratio 100; 30 epochs, for a CPU."""

_base_ = ['../ce/resnet32_cifar100lt_30e.py']

prerequisites = dict(teacher=dict(config='../ce/resnet32_cifar100lt_30e.py'))
model = dict(
    type='LTKDClassifier',
    temperature=2.0,
    alpha=1.0,
    beta=1.0,
)
