"""PaCo, ResNet-32, CIFAR-100-LT, ratio 100; its recipe: 400 epochs, AutoAugment and Cutout, batch 128: for a GPU."""

_base_ = [
    '../_base_/models/resnet32_paco.py',
    '../_base_/datasets/cifar100lt_strong.py',
    '../_base_/datasets/simclr_view.py',
    '../_base_/schedules/paco_400e.py',
    '../_base_/default_runtime.py',
]

blur = dict(type='GaussianBlur', sigma=(0.1, 2.0), probability=0.5)
data_preprocessor = dict(extra_views=[[*_base_.simclr_view, blur]])
