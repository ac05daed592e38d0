"""A piece of a photograph to compare, by this name in the code of PaCo, GPaCo and NCL."""

sim_view = [
    dict(type='ColorJitter', brightness=0.4, contrast=0.4, saturation=0.4, hue=0.0),
    dict(type='RandomGrayscale', probability=0.2),
    dict(type='GaussianBlur', sigma=(0.1, 2.0), probability=0.5),
    dict(type='RandomFlip'),
]
