"""Balanced sigmoid on LVIS v1: the finished detector's box classifier alone, 22,000 steps of 16 images."""

_base_ = [
    '../_base_/models/mask_rcnn_r50_fpn.py',
    '../_base_/datasets/lvis_v1.py',
    '../_base_/schedules/lvis_22k.py',
    '../_base_/detection_runtime.py',
]

prerequisites = dict(init=dict(config='mask_rcnn_r50_fpn_lvis_v1.py'))
model = dict(
    num_classes=1203,
    backbone=dict(checkpoint_path=None),  # the finished detector gives all weights
    box_loss=dict(type='BalancedSigmoidBoxLoss'),
    trained='box_classifier',
)
val_evaluator = dict(iou_types=['bbox', 'segm'])
test_evaluator = dict(iou_types=['bbox', 'segm'])
