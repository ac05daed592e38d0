"""Digits-LT: scikit-learn's 8x8 digits, exponential profile, ratio 50 (124 ... 2 images a class); 500 test images."""

train_dataloader = dict(
    batch_size=64,
    dataset=dict(
        type='LongTailedDataset',
        dataset=dict(type='Digits', split='train'),
        profile='exp',
        imbalance_ratio=50,
        seed=0,
        protocol='cao',
    ),
    sampler=dict(type='ShuffleSampler'),
)
val_dataloader = dict(batch_size=500, dataset=dict(type='Digits', split='test'))
test_dataloader = val_dataloader

num_classes = 10
data_preprocessor = dict(
    type='BatchPreprocessor',
    num_classes=num_classes,
    mean=(0.305, 0.305, 0.305),
    std=(0.376, 0.376, 0.376),
    train_transforms=[dict(type='RandomCrop', padding=1)],
)
