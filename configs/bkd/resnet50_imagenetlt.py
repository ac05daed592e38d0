"""BKD, ResNet-50, ImageNet-LT; our settings: global batch 512, 90 epochs, learning rate 0.2: for GPUs.

The authors published none for the large sets, so no figure is to be compared with theirs. The student has the recipe of its
teacher, the CE run by Decoupling's settings, and the distillation that of their CIFAR-100-LT, weighted from the first epoch.
"""

_base_ = ['../ce/resnet50_imagenetlt.py']

prerequisites = dict(teacher=dict(config='../ce/resnet50_imagenetlt.py'))
model = dict(
    type='BKDClassifier',
    temperature=2.0,
    alpha=1.0,
    beta=0.9999,
    reweight_start_epoch=0,
)
