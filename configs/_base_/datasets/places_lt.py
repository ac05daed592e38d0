"""Places-LT: 62,500 training images of 365 classes, tested on 36,500 balanced images; 224 pixels.

Prepare it by `python tools/prepare_data.py places_lt --root data/places_lt`. From a pack: `--cfg-options
train_dataloader.dataset.pack=data/places_lt.pack val_dataloader.dataset.pack=data/places_lt.pack`.
"""

_base_ = ['large_224.py']

num_classes = 365
train_dataloader = dict(
    dataset=dict(data_root='data/places_lt', ann_file='Places_LT_train.txt', num_classes=num_classes, name='places_lt')
)
val_dataloader = dict(
    dataset=dict(data_root='data/places_lt', ann_file='Places_LT_test.txt', num_classes=num_classes, name='places_lt_test')
)
test_dataloader = val_dataloader

data_preprocessor = dict(
    type='BatchPreprocessor',
    num_classes=num_classes,
    mean=(0.485, 0.456, 0.406),
    std=(0.229, 0.224, 0.225),
    train_transforms=[dict(type='RandomFlip'), dict(type='ColorJitter', brightness=0.4, contrast=0.4, saturation=0.4, hue=0.0)],
)
