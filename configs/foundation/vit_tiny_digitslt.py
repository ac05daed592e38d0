"""LIFT's parts on a tiny ViT of random weights, digits-LT scaled to 32 pixels, ratio 50; shows that all works, in seconds."""

_base_ = [
    '../_base_/datasets/digitslt.py',
    '../_base_/schedules/lift_10e.py',
    '../_base_/default_runtime.py',
]

image_size = 32
model = dict(
    type='CropEnsembleClassifier',
    crop_size='{image_size}',
    backbone=dict(type='TunedViT', model_name='test_vit', img_size='{image_size}', tunings=['adapter'], bottleneck=8),
    head=dict(type='CosineHead', scale=25.0),
    loss=dict(type='LogitAdjustedLoss', tau=1.0),
)
data_preprocessor = dict(
    train_transforms=[dict(type='RandomResizedCrop', size=32, scale=(0.7, 1.0))],
    test_transforms=[dict(type='Resize', size=36)],
)
custom_hooks = [dict(type='HeadStartHook')]
precision = 'fp32'
