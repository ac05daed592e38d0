"""CIFAR-100-LT as in `cifar100lt.py`, with a second view of each training image."""

_base_ = ['cifar100lt.py', 'second_view.py']

data_preprocessor = dict(extra_views=[_base_.second_view])
