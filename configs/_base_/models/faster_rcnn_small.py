"""Faster R-CNN on five small convolutions, for images of 64 pixels."""

model = dict(
    type='FasterRCNN',
    backbone=dict(type='SmallConvNet', channels=64),
    box_loss=dict(type='SigmoidBoxLoss'),
    anchor_sizes=[[14, 20]],
    aspect_ratios=[1.0, 1.5],
    box_channels=128,
    agnostic=True,
    roi_size=6,
    sampling_ratio=1,
    settings=dict(
        rpn_pre_nms_top_n_train=200,
        rpn_pre_nms_top_n_test=200,
        rpn_post_nms_top_n_train=64,
        rpn_post_nms_top_n_test=32,
        rpn_batch_size_per_image=64,
        box_batch_size_per_image=32,
        box_score_thresh=1e-4,
        box_detections_per_img=5,  # one for each 4 classes of 20, as LVIS's 300 for 1,203
    ),
)
