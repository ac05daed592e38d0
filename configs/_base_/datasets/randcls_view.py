"""A piece of a photograph to classify, by this name in the code of PaCo, GPaCo, NCL and BCL."""

randcls_view = [
    dict(type='RandomFlip'),
    dict(type='ColorJitter', brightness=0.4, contrast=0.4, saturation=0.4, hue=0.0),
    dict(type='TimmRandAugment', num_ops=2, magnitude=10, magnitude_std=0.5),
]
