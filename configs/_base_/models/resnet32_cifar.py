"""ResNet-32 for small images (option-A shortcuts, 64 features) with a linear classifier."""

model = dict(
    type='LongTailedClassifier',
    backbone=dict(type='ResNetCIFAR', depth=32),
    head=dict(type='LinearHead'),
    loss=dict(type='CrossEntropyLoss'),
)
