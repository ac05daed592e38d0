"""SSD, stage 1: CE and contrast with images of other labels, ResNeXt-50, ImageNet-LT.

Global batch 256, 135 epochs, learning rate 0.1: for GPUs.
Nothing is reported for this stage alone.
Source of the settings: Li et al., Self Supervision to Distillation (ICCV 2021), and its code.
"""

_base_ = ['../ce/resnext50_imagenetlt.py']

model = dict(
    head=dict(init='torch'),
    terms=[
        dict(
            type='OtherLabelContrast',
            dim=128,
            queue_size=115712,  # an epoch of whole batches: 115,846 // 256 * 256
            momentum=0.999,
            temperature=0.2,
        ),
    ],
)
query_view = [
    dict(type='RandomFlip'),
    dict(type='ColorJitter', brightness=0.4, contrast=0.4, saturation=0.4, hue=0.0),
]
key_view = [
    dict(type='RandomFlip'),
    dict(type='ColorJitter', brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1, probability=0.8),
    dict(type='RandomGrayscale', probability=0.2),
    dict(type='GaussianBlur', sigma=(0.1, 2.0), probability=0.5),
]
data_preprocessor = dict(train_transforms=query_view, extra_views=[key_view])
train_dataloader = dict(
    batch_size=256,
    drop_last=True,
    dataset=dict(crop_area=[(0.08, 1.0), (0.2, 1.0)]),  # of the query's and of the key's piece
)
train_cfg = dict(max_epochs=135)
optim_wrapper = dict(optimizer=dict(lr=0.1))
auto_scale_lr = dict(base_batch_size=256)
