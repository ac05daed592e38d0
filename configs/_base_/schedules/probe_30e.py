"""A head on cached features, 30 epochs: AdamW 1e-3, falling to 0 along a cosine; seconds on a CPU."""

train_cfg = dict(type='EpochTrainLoop', max_epochs=30, val_interval=10, val_last=0.05)
optim_wrapper = dict(
    type='PrecisionOptimWrapper',
    optimizer=dict(type='AdamW', lr=1e-3, weight_decay=1e-4, fused=True),
)
param_scheduler = [dict(type='CosineAnnealingLR', eta_min=0.0)]
precision = 'bf16'
custom_hooks = [dict(type='FeatureCacheHook')]
