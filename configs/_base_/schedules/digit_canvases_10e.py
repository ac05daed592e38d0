"""A second stage of 10 epochs on the digit canvases: AdamW 2e-3, x0.1 after 5 and 8 epochs."""

_base_ = ['digit_canvases_40e.py']

train_cfg = dict(max_epochs=10, val_interval=10)
param_scheduler = [dict(type='MultiStepLR', milestones=[5, 8], gamma=0.1)]
