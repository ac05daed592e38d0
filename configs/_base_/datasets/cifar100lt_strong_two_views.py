"""CIFAR-100-LT as in `cifar100lt_strong.py`, with a second view of each training image."""

_base_ = ['cifar100lt_strong.py', 'second_view.py']

data_preprocessor = dict(extra_views=[_base_.second_view])
