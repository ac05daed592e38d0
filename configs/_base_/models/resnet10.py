"""ResNet-10 from scratch (one basic block a stage, 512 features) with a linear classifier."""

model = dict(
    type='LongTailedClassifier',
    backbone=dict(type='TimmBackbone', model_name='resnet10'),
    head=dict(type='LinearHead'),
    loss=dict(type='CrossEntropyLoss'),
)
