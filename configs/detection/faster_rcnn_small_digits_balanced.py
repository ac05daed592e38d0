"""Balanced sigmoid on the finished detector's features: its box classifier alone, 10 epochs on digit canvases."""

_base_ = [
    '../_base_/models/faster_rcnn_small.py',
    '../_base_/datasets/digit_canvases.py',
    '../_base_/schedules/digit_canvases_10e.py',
    '../_base_/detection_runtime.py',
]

prerequisites = dict(init=dict(config='faster_rcnn_small_digits.py'))
model = dict(num_classes=20, box_loss=dict(type='BalancedSigmoidBoxLoss'), trained='box_classifier')
