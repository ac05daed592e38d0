"""GPaCo, ResNet-152 pretrained on ImageNet, Places-LT; global batch 128, 30 epochs, learning rate 0.02: for GPUs.

Reported: 41.7.
Of the convolutions those of the last block alone learn, and all of batch normalisation. The weights are torchvision's, by
timm's name. The authors ran it in half precision.
The authors took four GPUs of 32 images, which batch normalisation sees: on four, `train_dataloader.batch_size=32`.
Source of the settings: Cui et al., Generalized Parametric Contrastive Learning (TPAMI 2023), and its code (`GPaCo/LT`).
"""

_base_ = [
    '../_base_/models/resnet50_gpaco.py',
    '../_base_/datasets/places_lt.py',
    '../_base_/datasets/sim_view.py',
    '../_base_/schedules/paco_photos_400e.py',
    '../_base_/default_runtime.py',
]

model = dict(backbone=dict(model_name='resnet152.tv_in1k', pretrained=True), alpha=0.02)
data_preprocessor = dict(train_transforms=_base_.sim_view, extra_views=[_base_.sim_view])
train_dataloader = dict(batch_size=128, drop_last=True, dataset=dict(crop_area=[(0.08, 1.0), (0.08, 1.0)]))
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
