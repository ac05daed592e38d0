"""timm's ResNet-50, pretrained on ImageNet-1k (24 M weights, 4.1 G multiply-adds at 224 pixels), with a linear classifier."""

model = dict(
    type='LongTailedClassifier',
    backbone=dict(type='TimmBackbone', model_name='resnet50', pretrained=True),
    head=dict(type='LinearHead', init='torch'),
    loss=dict(type='CrossEntropyLoss'),
)
