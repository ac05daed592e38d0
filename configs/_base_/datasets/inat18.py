"""iNaturalist 2018: 437,513 training images of 8,142 classes, tested on the 24,426 validation images; 224 pixels.

Prepare it by `python tools/prepare_data.py inat18 --root data/inat18`. From a pack: `--cfg-options
train_dataloader.dataset.pack=data/inat18.pack val_dataloader.dataset.pack=data/inat18.pack`.
"""

num_classes = 8142
train_dataloader = dict(
    batch_size=512,
    num_workers=4,
    dataset=dict(
        type='ImageList',
        data_root='data/inat18',
        ann_file='iNaturalist18_train.txt',
        num_classes=num_classes,
        image_size=224,
        crop='random_resized',
        name='inat18',
    ),
    sampler=dict(type='ShuffleSampler'),
)
val_dataloader = dict(
    batch_size=256,
    num_workers=4,
    dataset=dict(
        type='ImageList',
        data_root='data/inat18',
        ann_file='iNaturalist18_val.txt',
        num_classes=num_classes,
        image_size=224,
        resize=256,
        name='inat18_test',
    ),
)
test_dataloader = val_dataloader

data_preprocessor = dict(
    type='BatchPreprocessor',
    num_classes=num_classes,
    mean=(0.466, 0.471, 0.380),
    std=(0.195, 0.194, 0.192),
    train_transforms=[dict(type='RandomFlip')],
)
