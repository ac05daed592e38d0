"""A second stage of 22,000 steps of 16 images: SGD 0.02 after 1,000 of warm-up, x0.1 after 11,000 and 18,000."""

_base_ = ['lvis_90k.py']

train_cfg = dict(max_epochs=22, val_interval=22)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.001, begin=0, end=1, convert_to_iter_based=True),
    dict(type='MultiStepLR', milestones=[11, 18], gamma=0.1),
]
