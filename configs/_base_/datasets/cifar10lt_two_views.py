"""CIFAR-10-LT as in `cifar10lt.py`, with a second view of each training image."""

_base_ = ['cifar10lt.py', 'second_view.py']

data_preprocessor = dict(extra_views=[_base_.second_view])
