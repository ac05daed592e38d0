"""Short recipe of our own: 30 epochs, SGD 0.1 after two epochs of warm-up, x0.01 from epoch 25, x0.0001 from epoch 28.

The rate rises step by step: at 0.1 from the first step the first weights decide more, and NCL ends in dead units within ten.
"""

train_cfg = dict(type='EpochTrainLoop', max_epochs=30)
optim_wrapper = dict(
    type='PrecisionOptimWrapper',
    optimizer=dict(type='SGD', lr=0.1, momentum=0.9, weight_decay=2e-4, fused=True),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, begin=0, end=2, convert_to_iter_based=True),
    dict(type='MultiStepLR', milestones=[24, 27], gamma=0.01),
]
precision = 'bf16'
