"""30 epochs on the digit canvases."""

train_cfg = dict(type='EpochTrainLoop', max_epochs=30, val_interval=10, val_last=0)
optim_wrapper = dict(
    type='PrecisionOptimWrapper',
    optimizer=dict(type='SGD', lr=0.05, momentum=0.9, weight_decay=1e-4),
    clip_grad=dict(max_norm=10),
)
param_scheduler = [dict(type='MultiStepLR', milestones=[20, 26], gamma=0.1)]
precision = 'fp32'
