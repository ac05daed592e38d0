"""GPaCo, ResNeXt-50, ImageNet-LT; global batch 128, 400 epochs, learning rate 0.06: for GPUs.

Reported: 58.9.
The authors took four GPUs of 32 images, which batch normalisation sees: on four, `train_dataloader.batch_size=32`.
Source of the settings: Cui et al., Generalized Parametric Contrastive Learning (TPAMI 2023), and its code (`GPaCo/LT`).
"""

_base_ = ['resnet50_imagenetlt.py']

model = dict(backbone=dict(model_name='resnext50_32x4d'), alpha=0.05)
data_preprocessor = dict(
    train_transforms=[
        dict(type='RandomFlip'),
        dict(type='ColorJitter', brightness=0.4, contrast=0.4, saturation=0.4, hue=0.0),
        dict(type='TimmRandAugment', num_ops=3, magnitude=10, magnitude_std=0.5),
    ],
    extra_views=[
        [
            dict(type='RandomFlip'),
            dict(type='ColorJitter', brightness=0.4, contrast=0.4, saturation=0.4, hue=0.0),
            dict(type='RandomGrayscale', probability=0.2),
            dict(type='GaussianBlur', sigma=(0.1, 2.0), probability=0.5),
            dict(type='TimmRandAugment', num_ops=3, magnitude=10, magnitude_std=0.5),
        ],
    ],
)
optim_wrapper = dict(optimizer=dict(lr=0.06))
