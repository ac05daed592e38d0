"""Digits on canvases, two to four on each: 500 images of 20 classes, 200 ... 3 images a class; 400 test images."""

train_dataloader = dict(
    batch_size=50,
    dataset=dict(
        type='LongTailedDataset',
        dataset=dict(type='MultiLabelDigits', split='train', seed=0),
        profile='natural',
    ),
    sampler=dict(type='ShuffleSampler'),
)
val_dataloader = dict(batch_size=400, dataset=dict(type='MultiLabelDigits', split='test', seed=0))
test_dataloader = val_dataloader

num_classes = 20
data_preprocessor = dict(
    type='BatchPreprocessor',
    num_classes=num_classes,
    mean=(0.209, 0.200, 0.190),
    std=(0.169, 0.135, 0.141),
    train_transforms=[dict(type='RandomCrop', padding=2)],
)
