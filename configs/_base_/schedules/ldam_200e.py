"""The LDAM recipe: 200 epochs, SGD 0.1, five epochs of warm-up, x0.01 after 160 epochs, x0.0001 after 180."""

train_cfg = dict(type='EpochTrainLoop', max_epochs=200)
optim_wrapper = dict(
    type='PrecisionOptimWrapper',
    optimizer=dict(type='SGD', lr=0.1, momentum=0.9, weight_decay=2e-4, fused=True),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.2, begin=0, end=5),  # lr * epoch / 5, epochs counted from 1
    dict(type='MultiStepLR', milestones=[160, 180], gamma=0.01),
]
precision = 'fp32'
