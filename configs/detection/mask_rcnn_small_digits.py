"""Mask R-CNN, five convolutions, sigmoid boxes, digit canvases (20 classes); 40 epochs: minutes on a CPU."""

_base_ = ['faster_rcnn_small_digits.py']

model = dict(type='MaskRCNN', mask_channels=32, mask_layers=2)
val_evaluator = dict(iou_types=['bbox', 'segm'])
test_evaluator = dict(iou_types=['bbox', 'segm'])
