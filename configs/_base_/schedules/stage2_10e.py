"""Second stage on a frozen backbone: 10 epochs, SGD 0.1, falling to 0 along a cosine, epoch by epoch."""

train_cfg = dict(type='EpochTrainLoop', max_epochs=10)
optim_wrapper = dict(
    type='PrecisionOptimWrapper',
    optimizer=dict(type='SGD', lr=0.1, momentum=0.9, weight_decay=2e-4, fused=True),
)
param_scheduler = [dict(type='CosineAnnealingLR', eta_min=0.0)]
