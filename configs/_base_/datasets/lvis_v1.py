"""LVIS v1: 1,203 classes, images of COCO 2017; repeat-factor sampling, an epoch is 16,000 draws (1,000 steps of 16).

Under data/lvis lie lvis_v1_train.json and lvis_v1_val.json, under data/coco the folders train2017 and val2017.
"""

train_dataloader = dict(
    batch_size=16,  # over all ranks: on 8 GPUs 2 each
    num_workers=8,
    dataset=dict(
        type='LVISDataset',
        data_root='data/lvis',
        img_root='data/coco',
        ann_file='lvis_v1_train.json',
        train_transforms=[dict(type='TorchvisionTransform', name='RandomHorizontalFlip')],
    ),
    sampler=dict(type='RepeatFactorSampler', threshold=0.001, num_samples=16000),
)
val_dataloader = dict(
    batch_size=4,
    num_workers=8,
    dataset=dict(
        type='LVISDataset',
        data_root='data/lvis',
        img_root='data/coco',
        ann_file='lvis_v1_val.json',
        masks=False,  # the metric reads the annotations itself
        keep_empty=True,
    ),
)
test_dataloader = val_dataloader
