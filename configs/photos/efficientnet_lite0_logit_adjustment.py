"""Logit-adjusted loss (tau = 1), pretrained EfficientNet-Lite0, your photos at 224 pixels; 20 epochs."""

_base_ = ['efficientnet_lite0_ce.py']

model = dict(loss=dict(_delete_=True, type='LogitAdjustedLoss', tau=1.0))
