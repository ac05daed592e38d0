"""Faster R-CNN on the digit canvases, boxes by EqualizationBoxLoss."""

_base_ = ['faster_rcnn_small_digits.py']

model = dict(box_loss=dict(_delete_=True, type='EqualizationBoxLoss'))
