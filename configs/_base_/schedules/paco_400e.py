"""400 epochs of PaCo: SGD 0.05, ten epochs of warm-up, x0.1 after 320 and 360 epochs."""

train_cfg = dict(type='EpochTrainLoop', max_epochs=400)
optim_wrapper = dict(
    type='PrecisionOptimWrapper',
    optimizer=dict(type='SGD', lr=0.05, momentum=0.9, weight_decay=5e-4, fused=True),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, begin=0, end=10),  # lr * epoch / 10, epochs counted from 1
    dict(type='MultiStepLR', milestones=[320, 360], gamma=0.1),
]
precision = 'fp32'
