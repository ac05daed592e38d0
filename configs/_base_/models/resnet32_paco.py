"""PaCo on a ResNet-32 for small images (64 features), with the settings of its authors for CIFAR-100-LT."""

model = dict(
    type='PaCoClassifier',
    backbone=dict(type='ResNetCIFAR', depth=32),
    head=dict(type='LinearHead', init='torch'),
    projector=dict(hidden=[64], out_channels=32, batch_norm=True, last_init='kaiming_normal'),
    alpha=0.01,
    temperature=0.05,
    queue_size=1024,
    momentum=0.999,
)
