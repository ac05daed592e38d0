"""Faster R-CNN, five convolutions, sigmoid boxes, canvases with traffic signs (43 classes); 40 epochs: minutes on a CPU."""

_base_ = [
    '../_base_/models/faster_rcnn_small.py',
    '../_base_/datasets/sign_canvases.py',
    '../_base_/schedules/digit_canvases_40e.py',
    '../_base_/detection_runtime.py',
]

model = dict(
    num_classes=43,
    anchor_sizes=[[18, 27]],
    aspect_ratios=[1.0],
    settings=dict(box_detections_per_img=11),  # one for each 4 classes
)
