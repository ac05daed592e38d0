"""BCL, ResNet-32, CIFAR-10-LT, ratio 100; our settings: 200 epochs, AutoAugment and Cutout, batch 128: for a GPU."""

_base_ = [
    '../_base_/models/resnet32_bcl.py',
    '../_base_/datasets/cifar10lt_strong.py',
    '../_base_/datasets/simclr_view.py',
    '../_base_/schedules/ldam_200e.py',
    '../_base_/default_runtime.py',
]

data_preprocessor = dict(extra_views=[_base_.simclr_view, _base_.simclr_view])
optim_wrapper = dict(optimizer=dict(weight_decay=5e-4))
