"""Linear probe with the logit-adjusted loss on cached features of a frozen DINOv2 ViT-S/14; the head takes seconds.

`--cfg-options model.loss.tau=0` makes it plain cross entropy, `image_size=98` (a multiple of 14) five times as fast.
"""

_base_ = [
    '../_base_/datasets/photos.py',
    '../_base_/schedules/probe_30e.py',
    '../_base_/default_runtime.py',
]

model = dict(
    type='FrozenBackboneClassifier',
    backbone=dict(
        type='TimmBackbone', model_name='vit_small_patch14_dinov2.lvd142m', pretrained=True, img_size='{image_size}'
    ),
    head=dict(type='LinearHead', init='torch'),
    loss=dict(type='LogitAdjustedLoss', tau=1.0),
)
train_dataloader = dict(batch_size=256)
