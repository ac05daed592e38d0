"""Fine-tuning a pretrained transformer for 20 epochs: AdamW 1e-4, 100 steps of warm-up, falling to 0 along a cosine."""

train_cfg = dict(type='EpochTrainLoop', max_epochs=20, val_interval=2)
optim_wrapper = dict(
    type='PrecisionOptimWrapper',
    optimizer=dict(type='AdamW', lr=1e-4, weight_decay=0.05, fused=True),
    clip_grad=dict(max_norm=1.0),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=100),
    dict(type='CosineAnnealingLR', eta_min=0.0),
]
precision = 'bf16'
