"""iNaturalist 2017: 579,184 training images of 5,089 classes, tested on the 95,986 validation images; 224 pixels.

Prepare it by `python tools/prepare_data.py inat17 --root data/inat17`. From a pack: `--cfg-options
train_dataloader.dataset.pack=data/inat17.pack val_dataloader.dataset.pack=data/inat17.pack`.
"""

_base_ = ['large_224.py']

num_classes = 5089
train_dataloader = dict(
    dataset=dict(data_root='data/inat17', ann_file='iNaturalist17_train.txt', num_classes=num_classes, name='inat17')
)
val_dataloader = dict(
    dataset=dict(data_root='data/inat17', ann_file='iNaturalist17_val.txt', num_classes=num_classes, name='inat17_test')
)
test_dataloader = val_dataloader

data_preprocessor = dict(
    type='BatchPreprocessor',
    num_classes=num_classes,
    mean=(0.466, 0.471, 0.380),
    std=(0.195, 0.194, 0.192),
    train_transforms=[dict(type='RandomFlip')],
)
