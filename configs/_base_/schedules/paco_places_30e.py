"""PaCo's schedule for Places-LT: 30 epochs, five of warm-up; of the convolutions those of the last block alone learn."""

_base_ = ['./paco_photos_400e.py']

train_cfg = dict(max_epochs=30)
optim_wrapper = dict(
    paramwise_cfg=dict(
        custom_keys={  # of two that are in a parameter's name the longer one counts
            'conv': dict(lr_mult=0.0),
            'downsample.0': dict(lr_mult=0.0),
            'backbone.model.layer4.2.conv': dict(lr_mult=1.0),
        },
    ),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.2, begin=0, end=5),  # lr * epoch / 5, epochs counted from 1
    dict(type='CosineAnnealingLR', begin=4, eta_min=0.0),  # its first step is the first epoch after the warm-up
]
