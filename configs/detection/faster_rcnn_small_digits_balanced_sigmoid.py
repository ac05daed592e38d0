"""Faster R-CNN, five convolutions, balanced sigmoid boxes, digit canvases; 40 epochs: minutes on a CPU."""

_base_ = ['faster_rcnn_small_digits.py']

model = dict(box_loss=dict(_delete_=True, type='BalancedSigmoidBoxLoss'))
