"""SADE's recipe: as RIDE's, but x0.1 after 160 epochs and again after 180."""

_base_ = ['ride_200e.py']

param_scheduler = [
    dict(type='LinearLR', start_factor=0.2, begin=0, end=5),  # lr * epoch / 5, epochs counted from 1
    dict(type='MultiStepLR', milestones=[160, 180], gamma=0.1),
]
