"""SSD, stage 3 after stages 1 and 2, ResNeXt-50, ImageNet-LT; global batch 256, 135 epochs, learning rate 0.1: for GPUs.

Reported: 55.4 (many 67.3, medium 53.1, few 30.0), of the soft head, which predicts.
Source of the settings: Li et al., Self Supervision to Distillation (ICCV 2021), and its code.
"""

_base_ = ['../ce/resnext50_imagenetlt.py']

prerequisites = dict(teacher=dict(config='resnext50_imagenetlt_stage2.py'))
model = dict(type='SSDClassifier', head=dict(init='torch'), temperature=2.0)
train_dataloader = dict(batch_size=256, drop_last=True)
train_cfg = dict(max_epochs=135)
optim_wrapper = dict(optimizer=dict(lr=0.1))
auto_scale_lr = dict(base_batch_size=256)
