"""Photos in class folders, data_root/{train,test}/CLASS/*.jpg, at 224 pixels, as long-tailed as they are.

Set data_root; the classes and their counts are the folders'. Mean and deviation are those the backbone was pretrained with.
"""

data_root = 'data/photos'
image_size = 224

train_dataloader = dict(
    batch_size=64,
    num_workers=2,
    dataset=dict(
        type='LongTailedDataset',
        profile='natural',
        dataset=dict(
            type='ImageFolder', data_root='{data_root}/train', image_size='{image_size}', crop='random_resized'
        ),
    ),
    sampler=dict(type='ShuffleSampler'),
)
val_dataloader = dict(
    batch_size=128,
    num_workers=2,
    dataset=dict(type='ImageFolder', data_root='{data_root}/test', image_size='{image_size}'),
)
test_dataloader = val_dataloader

data_preprocessor = dict(type='BatchPreprocessor', train_transforms=[dict(type='RandomFlip')])
