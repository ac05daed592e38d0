"""GPaCo, ResNet-32, CIFAR-10-LT, ratio 100; its CIFAR-100-LT recipe: 400 epochs, AutoAugment, Cutout: for a GPU."""

_base_ = [
    '../_base_/models/resnet32_gpaco.py',
    '../_base_/datasets/cifar10lt_strong.py',
    '../_base_/datasets/simclr_view.py',
    '../_base_/schedules/paco_400e.py',
    '../_base_/default_runtime.py',
]

blur = dict(type='GaussianBlur', sigma=(0.1, 2.0), probability=0.2)
data_preprocessor = dict(extra_views=[[*_base_.simclr_view, blur]])
optim_wrapper = dict(optimizer=dict(lr=0.1))
