"""ResNet-50 from scratch (2,048 features) with a linear classifier."""

model = dict(
    type='LongTailedClassifier',
    backbone=dict(type='TimmBackbone', model_name='resnet50'),
    head=dict(type='LinearHead'),
    loss=dict(type='CrossEntropyLoss'),
)
