"""NCL, three separate ResNet-50, ImageNet-LT; global batch 256, 200 epochs, learning rate 0.2: for GPUs.

No figure that was seen is reported for it. As in the configs that the authors released there is no contrastive branch. Their
cosine classifiers have a learned bias, which these have not. Source: Li et al., NCL (CVPR 2022), and its code.
Their learning rate is one epoch ahead of this cosine.
Their batch normalisation sees the images of all GPUs: `--cfg-options sync_bn=torch`.
"""

_base_ = [
    '../_base_/datasets/imagenet_lt.py',
    '../_base_/datasets/randcls_view.py',
    '../_base_/schedules/decoupling_90e.py',
    '../_base_/experts_runtime.py',
]

model = dict(
    type='NCLClassifier',
    backbone=dict(
        type='MultiExpertBackbone',
        backbone=dict(type='TimmBackbone', model_name='resnet50'),
        num_experts=3,
        shared_stages=0,
    ),
    head=dict(type='CosineHead', scale=16.0),
    hard_part=0.3,
)
data_preprocessor = dict(train_transforms=_base_.randcls_view)
train_dataloader = dict(batch_size=256, drop_last=True)
train_cfg = dict(max_epochs=200)
optim_wrapper = dict(optimizer=dict(weight_decay=2e-4, nesterov=True))
param_scheduler = [dict(type='CosineAnnealingLR', eta_min=1e-4)]
auto_scale_lr = dict(base_batch_size=256)
