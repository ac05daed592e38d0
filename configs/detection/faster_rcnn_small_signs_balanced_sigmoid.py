"""Faster R-CNN, five convolutions, balanced sigmoid boxes, canvases with traffic signs; 40 epochs: minutes on a CPU."""

_base_ = ['faster_rcnn_small_signs.py']

model = dict(box_loss=dict(_delete_=True, type='BalancedSigmoidBoxLoss'))
