"""Fine-tuning a pretrained network for 20 epochs: SGD 0.01, falling to 0 along a cosine, epoch by epoch."""

train_cfg = dict(type='EpochTrainLoop', max_epochs=20, val_interval=2)
optim_wrapper = dict(
    type='PrecisionOptimWrapper',
    optimizer=dict(type='SGD', lr=0.01, momentum=0.9, weight_decay=1e-4, fused=True),
)
param_scheduler = [dict(type='CosineAnnealingLR', eta_min=0.0)]
precision = 'bf16'
