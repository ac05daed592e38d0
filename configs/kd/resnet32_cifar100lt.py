"""Knowledge distillation from a CE teacher, ResNet-32, CIFAR-100-LT, ratio 100; 200 epochs, batch 128; minutes on a GPU, hours on a CPU."""

_base_ = ['../ce/resnet32_cifar100lt.py']

prerequisites = dict(teacher=dict(config='../ce/resnet32_cifar100lt.py'))
model = dict(
    type='DistillationClassifier',
    distill_heads=[dict(type='LogitDistillHead', temperature=2.0, weight=1.0)],
)
