"""BCL, ResNet-50, ImageNet-LT; global batch 256, 90 epochs, learning rate 0.1: for GPUs.

Their table has ResNeXt-50 alone, see `resnext50_imagenetlt.py`; the settings are those of their command for this network.
The authors contrast all images of a step, which here every GPU does with its own. Their cosine is one epoch ahead of this one.
Source of the settings: Zhu et al., Balanced Contrastive Learning (CVPR 2022), and its code (`main.py`, its `sim-sim`).
"""

_base_ = [
    '../_base_/models/resnet50_bcl.py',
    '../_base_/datasets/imagenet_lt.py',
    '../_base_/datasets/randcls_view.py',
    '../_base_/datasets/bcl_view.py',
    '../_base_/schedules/decoupling_90e.py',
    '../_base_/default_runtime.py',
]

data_preprocessor = dict(train_transforms=_base_.randcls_view, extra_views=[_base_.bcl_view, _base_.bcl_view])
train_dataloader = dict(batch_size=256, dataset=dict(crop_area=[(0.08, 1.0), (0.08, 1.0), (0.08, 1.0)]))
optim_wrapper = dict(optimizer=dict(lr=0.1))
auto_scale_lr = dict(base_batch_size=256)
