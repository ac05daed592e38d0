"""Long-tailed distillation (LTKD), a reconstruction, ResNet-32, CIFAR-100-LT, ratio 100; 200 epochs, for a GPU."""

_base_ = ['../ce/resnet32_cifar100lt.py']

prerequisites = dict(teacher=dict(config='../ce/resnet32_cifar100lt.py'))
model = dict(
    type='LTKDClassifier',
    temperature=2.0,
    alpha=1.0,
    beta=1.0,
)
