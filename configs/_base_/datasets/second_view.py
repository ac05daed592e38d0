"""A second view of a small colour image for a contrastive branch: as in MoCo v2, but without blur."""

second_view = [
    dict(type='RandomCrop', padding=4),
    dict(type='RandomFlip'),
    dict(type='ColorJitter', brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1, probability=0.8),
    dict(type='RandomGrayscale', probability=0.2),
]
