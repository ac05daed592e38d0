"""Faster R-CNN, five convolutions, sigmoid boxes, digit canvases (20 classes); 40 epochs: minutes on a CPU."""

_base_ = [
    '../_base_/models/faster_rcnn_small.py',
    '../_base_/datasets/digit_canvases.py',
    '../_base_/schedules/digit_canvases_40e.py',
    '../_base_/detection_runtime.py',
]

model = dict(num_classes=20)
