"""BCL on a ResNet-50 (2,048 features), with the settings of its authors for ImageNet-LT."""

model = dict(
    type='BCLClassifier',
    backbone=dict(type='TimmBackbone', model_name='resnet50'),
    head=dict(type='CosineHead', scale=30.0),
    projector=dict(hidden=[2048], out_channels=1024, batch_norm=True),
    loss=dict(type='BalancedSoftmaxLoss'),
    contrast_weight=0.35,
    temperature=0.07,
)
