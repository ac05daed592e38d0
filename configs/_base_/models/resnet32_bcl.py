"""BCL on a ResNet-32 for small images (64 features); its authors gave no code for CIFAR: see configs/bcl/README.md."""

model = dict(
    type='BCLClassifier',
    backbone=dict(type='ResNetCIFAR', depth=32),
    head=dict(type='CosineHead', scale=30.0),
    projector=dict(hidden=[512], out_channels=128, batch_norm=True),
    loss=dict(type='BalancedSoftmaxLoss'),
    contrast_weight=0.35,
    temperature=0.07,
)
