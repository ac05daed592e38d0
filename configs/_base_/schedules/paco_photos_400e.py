"""PaCo's schedule for the large sets: 400 epochs, SGD 0.02 for 128 images a step, ten epochs of warm-up, then a cosine.

The learning rate follows the global batch in proportion, and the run says so.
"""

train_cfg = dict(type='EpochTrainLoop', max_epochs=400)
optim_wrapper = dict(
    type='PrecisionOptimWrapper',
    optimizer=dict(type='SGD', lr=0.02, momentum=0.9, weight_decay=5e-4, fused=True),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, begin=0, end=10),  # lr * epoch / 10, epochs counted from 1
    dict(type='CosineAnnealingLR', begin=9, eta_min=0.0),  # its first step is the first epoch after the warm-up
]
auto_scale_lr = dict(enable=True, base_batch_size=128)
precision = 'fp32'
