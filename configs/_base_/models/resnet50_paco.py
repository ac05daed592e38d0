"""PaCo on a ResNet-50 (2,048 features), with the settings of its authors for ImageNet-LT."""

model = dict(
    type='PaCoClassifier',
    backbone=dict(type='TimmBackbone', model_name='resnet50'),
    head=dict(type='LinearHead', init='torch'),
    projector=dict(hidden=[2048], out_channels=128, batch_norm=True),
    alpha=0.05,
    temperature=0.2,
    queue_size=8192,
    momentum=0.999,
)
