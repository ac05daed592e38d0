"""60 epochs on the embedded digits: SGD 0.1, x0.1 after 40 and 52 epochs; seconds on a CPU."""

train_cfg = dict(type='EpochTrainLoop', max_epochs=60, val_interval=20, val_last=0.05)
optim_wrapper = dict(
    type='PrecisionOptimWrapper',
    optimizer=dict(type='SGD', lr=0.1, momentum=0.9, weight_decay=5e-4, fused=True),
)
param_scheduler = [dict(type='MultiStepLR', milestones=[40, 52], gamma=0.1)]
precision = 'fp32'
