"""The further view of contrastive branches on 32x32 images: `data_preprocessor = dict(extra_views=[_base_.simclr_view])`.

Crops, colours and grey of SimCLR and MoCo v2 without their blur, which the methods set by themselves.
"""

simclr_view = [
    dict(type='RandomResizedCrop', size=32, scale=(0.2, 1.0)),
    dict(type='RandomFlip'),
    dict(type='ColorJitter', brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1, probability=0.8),
    dict(type='RandomGrayscale', probability=0.2),
]
