"""Decoupling's first stage: 90 epochs, SGD 0.2 for 512 images a step, falling to 0 along a cosine, epoch by epoch.

The learning rate follows the global batch in proportion, and the run says so.
"""

train_cfg = dict(type='EpochTrainLoop', max_epochs=90)
optim_wrapper = dict(
    type='PrecisionOptimWrapper',
    optimizer=dict(type='SGD', lr=0.2, momentum=0.9, weight_decay=5e-4, fused=True),
)
param_scheduler = [dict(type='CosineAnnealingLR', eta_min=0.0)]
auto_scale_lr = dict(enable=True, base_batch_size=512)
precision = 'fp32'
