"""DiVE's schedule: as the LDAM recipe, but x0.01 after 120 epochs and x0.0001 after 160."""

_base_ = ['ldam_200e.py']

param_scheduler = [
    dict(type='LinearLR', start_factor=0.2, begin=0, end=5),  # lr * epoch / 5, epochs counted from 1
    dict(type='MultiStepLR', milestones=[120, 160], gamma=0.01),
]
