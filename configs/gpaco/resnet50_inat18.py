"""GPaCo, ResNet-50, iNaturalist 2018; global batch 128, 400 epochs, learning rate 0.04: for GPUs.

Reported: 75.4.
The authors took eight GPUs of 16 images, which batch normalisation sees: on eight, `train_dataloader.batch_size=16`.
Source of the settings: Cui et al., Generalized Parametric Contrastive Learning (TPAMI 2023), and its code (`GPaCo/LT`).
"""

_base_ = [
    '../_base_/models/resnet50_gpaco.py',
    '../_base_/datasets/inat18.py',
    '../_base_/datasets/randcls_view.py',
    '../_base_/datasets/sim_view.py',
    '../_base_/schedules/paco_photos_400e.py',
    '../_base_/default_runtime.py',
]

model = dict(alpha=0.05)
data_preprocessor = dict(train_transforms=_base_.randcls_view, extra_views=[_base_.sim_view])
train_dataloader = dict(batch_size=128, drop_last=True, dataset=dict(crop_area=[(0.08, 1.0), (0.08, 1.0)]))
optim_wrapper = dict(optimizer=dict(lr=0.04, weight_decay=1e-4))
