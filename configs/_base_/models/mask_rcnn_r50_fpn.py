"""Mask R-CNN, ResNet-50-FPN from ImageNet weights, boxes by one sigmoid a class; short side 640 to 800 pixels."""

model = dict(
    type='MaskRCNN',
    backbone=dict(type='ResNetFPN', depth=50, trained_stages=3, checkpoint_path='data/resnet50_imagenet.pth'),
    box_loss=dict(type='SigmoidBoxLoss', prior=0.001),
    settings=dict(
        rpn_pre_nms_top_n_train=2000,
        rpn_pre_nms_top_n_test=1000,
        rpn_post_nms_top_n_train=1000,
        rpn_post_nms_top_n_test=1000,
        box_score_thresh=1e-4,
        box_detections_per_img=300,
    ),
)
data_preprocessor = dict(
    type='DetectionPreprocessor',
    mean=(0.485, 0.456, 0.406),
    std=(0.229, 0.224, 0.225),
    short_sides=[640, 672, 704, 736, 768, 800],
    longest_side=1333,
)
