"""90,000 steps of 16 images: SGD 0.02 after 1,000 steps of warm-up, x0.1 after 60,000 and 80,000; an epoch is 1,000 steps."""

train_cfg = dict(type='EpochTrainLoop', max_epochs=90, val_interval=90, val_last=0)
optim_wrapper = dict(type='PrecisionOptimWrapper', optimizer=dict(type='SGD', lr=0.02, momentum=0.9, weight_decay=1e-4))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.001, begin=0, end=1, convert_to_iter_based=True),
    dict(type='MultiStepLR', milestones=[60, 80], gamma=0.1),
]
precision = 'fp32'
