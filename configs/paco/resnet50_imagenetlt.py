"""PaCo, ResNet-50, ImageNet-LT; global batch 128, 400 epochs, learning rate 0.02: for GPUs.

Reported: 57.0.
The authors took four GPUs of 32 images, which batch normalisation sees: on four, `train_dataloader.batch_size=32`.
Source of the settings: Cui et al., Parametric Contrastive Learning (ICCV 2021), and its code (`PaCo/LT`, `LT`).
"""

_base_ = [
    '../_base_/models/resnet50_paco.py',
    '../_base_/datasets/imagenet_lt.py',
    '../_base_/datasets/randcls_view.py',
    '../_base_/datasets/sim_view.py',
    '../_base_/schedules/paco_photos_400e.py',
    '../_base_/default_runtime.py',
]

data_preprocessor = dict(train_transforms=_base_.randcls_view, extra_views=[_base_.sim_view])
train_dataloader = dict(batch_size=128, drop_last=True, dataset=dict(crop_area=[(0.08, 1.0), (0.08, 1.0)]))
