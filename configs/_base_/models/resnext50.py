"""ResNeXt-50 (32 x 4d) from scratch (2,048 features) with a linear classifier."""

model = dict(
    type='LongTailedClassifier',
    backbone=dict(type='TimmBackbone', model_name='resnext50_32x4d'),
    head=dict(type='LinearHead'),
    loss=dict(type='CrossEntropyLoss'),
)
