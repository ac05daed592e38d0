"""What the large sets share: 224 pixels, random pieces to train on, the middle to test on. Not for use by itself."""

train_dataloader = dict(
    batch_size=512,
    num_workers=4,
    dataset=dict(type='ImageList', image_size=224, crop='random_resized'),
    sampler=dict(type='ShuffleSampler'),
)
val_dataloader = dict(batch_size=256, num_workers=4, dataset=dict(type='ImageList', image_size=224, resize=256))
test_dataloader = val_dataloader
