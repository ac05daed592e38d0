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
    '../_base_/schedules/paco_places_30e.py',
    '../_base_/default_runtime.py',
]

model = dict(backbone=dict(model_name='resnet152.tv_in1k', pretrained=True), alpha=0.02)
data_preprocessor = dict(train_transforms=_base_.sim_view, extra_views=[_base_.sim_view])
train_dataloader = dict(batch_size=128, drop_last=True, dataset=dict(crop_area=[(0.08, 1.0), (0.08, 1.0)]))
