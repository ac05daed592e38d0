"""Faster R-CNN with sigmoid boxes on the digit canvases (20 classes, embedded)."""

_base_ = [
    '../_base_/models/faster_rcnn_small.py',
    '../_base_/datasets/digit_canvases.py',
    '../_base_/schedules/digit_canvases_30e.py',
    '../_base_/detection_runtime.py',
]

model = dict(num_classes=20)
