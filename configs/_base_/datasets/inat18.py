"""iNaturalist 2018: 437,513 training images of 8,142 classes, tested on the 24,426 validation images; 224 pixels.

Prepare it by `python tools/prepare_data.py inat18 --root data/inat18`. From a pack: `--cfg-options
train_dataloader.dataset.pack=data/inat18.pack val_dataloader.dataset.pack=data/inat18.pack`.
"""

_base_ = ['large_224.py']

num_classes = 8142
train_dataloader = dict(
    dataset=dict(data_root='data/inat18', ann_file='iNaturalist18_train.txt', num_classes=num_classes, name='inat18')
)
val_dataloader = dict(
    dataset=dict(data_root='data/inat18', ann_file='iNaturalist18_val.txt', num_classes=num_classes, name='inat18_test')
)
test_dataloader = val_dataloader

data_preprocessor = dict(
    type='BatchPreprocessor',
    num_classes=num_classes,
    mean=(0.466, 0.471, 0.380),
    std=(0.195, 0.194, 0.192),
    train_transforms=[dict(type='RandomFlip')],
)
