"""400 epochs for strong augmentation: SGD 0.1 with Nesterov, five epochs of warm-up from a third, x0.1 after 320 and 360.

The schedule of NCL on CIFAR-LT; its batch is 64: set `train_dataloader = dict(batch_size=64)` in the config.
"""

train_cfg = dict(type='EpochTrainLoop', max_epochs=400)
optim_wrapper = dict(
    type='PrecisionOptimWrapper',
    optimizer=dict(type='SGD', lr=0.1, momentum=0.9, nesterov=True, weight_decay=2e-4, fused=True),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=1 / 3, begin=0, end=6),  # 1/3 + 2/3 * e/5, e from 0: the sixth has the whole rate
    dict(type='MultiStepLR', milestones=[320, 360], gamma=0.1),
]
precision = 'fp32'
