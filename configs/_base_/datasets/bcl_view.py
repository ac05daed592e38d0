"""A piece of a photograph to compare, as in the code of BCL."""

bcl_view = [
    dict(type='RandomFlip'),
    dict(type='ColorJitter', brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1, probability=0.8),
    dict(type='RandomGrayscale', probability=0.2),
]
