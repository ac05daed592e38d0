"""CIFAR-100-LT: exponential profile, ratio 100, the subset of Cao et al. (seed 0); balanced test set of 10,000."""

train_dataloader = dict(
    batch_size=128,
    dataset=dict(
        type='LongTailedDataset',
        dataset=dict(type='CIFAR100', data_root='data/cifar100', split='train'),
        profile='exp',
        imbalance_ratio=100,
        seed=0,
        protocol='cao',
    ),
    sampler=dict(type='ShuffleSampler'),
)
val_dataloader = dict(batch_size=1000, dataset=dict(type='CIFAR100', data_root='data/cifar100', split='test'))
test_dataloader = val_dataloader

# The constants of CIFAR-10, as every long-tailed recipe uses them on both sets.
num_classes = 100
data_preprocessor = dict(
    type='BatchPreprocessor',
    num_classes=num_classes,
    mean=(0.4914, 0.4822, 0.4465),
    std=(0.2023, 0.1994, 0.2010),
    train_transforms=[dict(type='RandomCrop', padding=4), dict(type='RandomFlip')],
)
