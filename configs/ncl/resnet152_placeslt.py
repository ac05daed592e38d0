"""NCL, three separate ResNet-152 pretrained on ImageNet, Places-LT; global batch 256, 30 epochs, learning rate 0.02: for GPUs.

No figure that was seen is reported for it. As in the config that the authors released it has the contrastive branch. Their
cosine classifiers have a learned bias, which these have not. The weights are torchvision's, by timm's name.
Source: Li et al., NCL (CVPR 2022), and its code.
Their batch normalisation sees the images of all GPUs: `--cfg-options sync_bn=torch`.
"""

_base_ = [
    '../_base_/datasets/places_lt.py',
    '../_base_/datasets/sim_view.py',
    '../_base_/schedules/decoupling_90e.py',
    '../_base_/experts_runtime.py',
]

model = dict(
    type='NCLClassifier',
    backbone=dict(
        type='MultiExpertBackbone',
        backbone=dict(type='TimmBackbone', model_name='resnet152.tv_in1k', pretrained=True),
        num_experts=3,
        shared_stages=0,
    ),
    head=dict(type='CosineHead', scale=16.0),
    hard_part=122 / 365,
    contrast=dict(dim=1024, queue_size=65536, temperature=0.2, momentum=0.999),
)
data_preprocessor = dict(train_transforms=_base_.sim_view, extra_views=[_base_.sim_view])
train_dataloader = dict(batch_size=256, drop_last=True, dataset=dict(crop_area=[(0.08, 1.0), (0.08, 1.0)]))
train_cfg = dict(max_epochs=30)
optim_wrapper = dict(optimizer=dict(lr=0.02, weight_decay=2e-4, nesterov=True))
param_scheduler = [
    dict(type='LinearLR', start_factor=7 / 15, begin=0, end=5),  # they count each epoch before it is trained
    dict(type='MultiStepLR', milestones=[9, 19], gamma=0.1),
]
auto_scale_lr = dict(base_batch_size=256)
