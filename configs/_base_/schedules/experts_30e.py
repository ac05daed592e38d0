"""The 30-epoch recipe with two epochs of warm-up, step by step: several experts' losses are summed, and so are their steps.

Without it NCL ends in dead units within ten steps.
"""

_base_ = ['./ldam_30e.py']

param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, begin=0, end=2, convert_to_iter_based=True),
    dict(type='MultiStepLR', milestones=[24, 27], gamma=0.01),
]
