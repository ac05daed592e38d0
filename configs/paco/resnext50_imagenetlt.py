"""PaCo, ResNeXt-50, ImageNet-LT; global batch 128, 400 epochs, learning rate 0.02: for GPUs.

Reported: 58.2.
The authors took four GPUs of 32 images, which batch normalisation sees: on four, `train_dataloader.batch_size=32`.
Source of the settings: Cui et al., Parametric Contrastive Learning (ICCV 2021), and its code (`PaCo/LT`, `LT`).
"""

_base_ = ['resnet50_imagenetlt.py', '../_base_/datasets/randclsstack_view.py']

model = dict(backbone=dict(model_name='resnext50_32x4d'), temperature=0.07)
data_preprocessor = dict(train_transforms=_base_.randclsstack_view)
