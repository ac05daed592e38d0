"""400 epochs for strong augmentation: SGD 0.1 with Nesterov, five epochs of warm-up from 0.0467, x0.1 after 319 and 359.

The schedule of NCL on CIFAR-LT, whose authors count each epoch before it is trained; its batch is 64: set
`train_dataloader = dict(batch_size=64)` in the config.
"""

train_cfg = dict(type='EpochTrainLoop', max_epochs=400)
optim_wrapper = dict(
    type='PrecisionOptimWrapper',
    optimizer=dict(type='SGD', lr=0.1, momentum=0.9, nesterov=True, weight_decay=2e-4, fused=True),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=7 / 15, begin=0, end=5),  # 1/3 + 2/3 * e/5, epochs counted from 1
    dict(type='MultiStepLR', milestones=[319, 359], gamma=0.1),
]
precision = 'fp32'
