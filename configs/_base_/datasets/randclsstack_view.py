"""A piece of a photograph with all that can be done to it, by this name in the code of PaCo and GPaCo."""

randclsstack_view = [
    dict(type='RandomFlip'),
    dict(type='ColorJitter', brightness=0.4, contrast=0.4, saturation=0.4, hue=0.0),
    dict(type='RandomGrayscale', probability=0.2),
    dict(type='GaussianBlur', sigma=(0.1, 2.0), probability=0.5),
    dict(type='TimmRandAugment', num_ops=2, magnitude=10, magnitude_std=0.5),
]
