"""Short recipe of our own: 30 epochs, SGD 0.1 after two epochs of warm-up, x0.01 from epoch 25, x0.0001 from epoch 28.

The rate rises step by step. At 0.1 from the first step CE and balanced softmax end lower (docs/results.md), and NCL's units are
dead within ten.
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
