"""PaCo, ResNet-32, CIFAR-100-LT, ratio 100; the short recipe of all methods here: 30 epochs, crop and flip, bf16."""

_base_ = [
    '../_base_/models/resnet32_paco.py',
    '../_base_/datasets/cifar100lt.py',
    '../_base_/datasets/simclr_view.py',
    '../_base_/schedules/ldam_30e.py',
    '../_base_/default_runtime.py',
]

blur = dict(type='GaussianBlur', sigma=(0.1, 2.0), probability=0.5)
data_preprocessor = dict(extra_views=[[*_base_.simclr_view, blur]])
