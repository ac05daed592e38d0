"""The two roles of momentum contrast on 32x32 images, the query's view and what the key's has beyond `simclr_view`:

`data_preprocessor = dict(train_transforms=_base_.query_view, extra_views=[[*_base_.simclr_view, _base_.blur]])`.
"""

_base_ = ['simclr_view.py']

query_view = [
    dict(type='RandomCrop', padding=4),
    dict(type='RandomFlip'),
    dict(type='ColorJitter', brightness=0.4, contrast=0.4, saturation=0.4, hue=0),
]
blur = dict(type='GaussianBlur', sigma=(0.1, 2.0), probability=0.5)
