"""40 epochs on the digit canvases: AdamW 2e-3 after two epochs of warm-up, x0.1 after 28 and 36 epochs."""

train_cfg = dict(type='EpochTrainLoop', max_epochs=40, val_interval=20, val_last=0)
optim_wrapper = dict(type='PrecisionOptimWrapper', optimizer=dict(type='AdamW', lr=2e-3, weight_decay=0.01, fused=True))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.05, begin=0, end=2, convert_to_iter_based=True),
    dict(type='MultiStepLR', milestones=[28, 36], gamma=0.1),
]
precision = 'fp32'
