"""LIFT's recipe: 10 epochs, SGD 0.01 at batch 128, falling to 0 along a cosine, epoch by epoch."""

train_cfg = dict(type='EpochTrainLoop', max_epochs=10, val_interval=5, val_last=0.0)
optim_wrapper = dict(
    type='PrecisionOptimWrapper',
    optimizer=dict(type='SGD', lr=0.01, momentum=0.9, weight_decay=5e-4, fused=True),
)
param_scheduler = [dict(type='CosineAnnealingLR', eta_min=0.0)]
precision = 'bf16'
