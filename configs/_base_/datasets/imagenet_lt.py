"""ImageNet-LT: 115,846 training images of 1,000 classes, tested on 50,000 balanced images; 224 pixels.

Prepare it by `python tools/prepare_data.py imagenet_lt --root data/imagenet_lt`. From a pack: `--cfg-options
train_dataloader.dataset.pack=data/imagenet_lt.pack val_dataloader.dataset.pack=data/imagenet_lt.pack`.
"""

_base_ = ['large_224.py']

num_classes = 1000
train_dataloader = dict(
    dataset=dict(data_root='data/imagenet_lt', ann_file='ImageNet_LT_train.txt', num_classes=num_classes, name='imagenet_lt')
)
val_dataloader = dict(
    dataset=dict(data_root='data/imagenet_lt', ann_file='ImageNet_LT_test.txt', num_classes=num_classes,
                 name='imagenet_lt_test'),  # fmt: skip
)
test_dataloader = val_dataloader

data_preprocessor = dict(
    type='BatchPreprocessor',
    num_classes=num_classes,
    mean=(0.485, 0.456, 0.406),
    std=(0.229, 0.224, 0.225),
    train_transforms=[dict(type='RandomFlip'), dict(type='ColorJitter', brightness=0.4, contrast=0.4, saturation=0.4, hue=0.0)],
)
