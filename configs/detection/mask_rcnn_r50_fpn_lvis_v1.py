"""Mask R-CNN, ResNet-50-FPN, sigmoid boxes, LVIS v1; 90,000 steps of 16 images."""

_base_ = [
    '../_base_/models/mask_rcnn_r50_fpn.py',
    '../_base_/datasets/lvis_v1.py',
    '../_base_/schedules/lvis_90k.py',
    '../_base_/detection_runtime.py',
]

model = dict(num_classes=1203)
val_evaluator = dict(iou_types=['bbox', 'segm'])
test_evaluator = dict(iou_types=['bbox', 'segm'])
