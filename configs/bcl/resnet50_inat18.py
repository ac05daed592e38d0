"""BCL, ResNet-50, iNaturalist 2018; global batch 256, 100 epochs, learning rate 0.2: for GPUs.

No figure that was seen is reported for it.
The authors contrast all images of a step, which here every GPU does with its own. Their cosine is one epoch ahead of this one.
Source of the settings: Zhu et al., Balanced Contrastive Learning (CVPR 2022), and its code (`main.py`, its `sim-sim`).
"""

_base_ = [
    '../_base_/models/resnet50_bcl.py',
    '../_base_/datasets/inat18.py',
    '../_base_/datasets/randcls_view.py',
    '../_base_/datasets/bcl_view.py',
    '../_base_/schedules/decoupling_90e.py',
    '../_base_/default_runtime.py',
]

data_preprocessor = dict(train_transforms=_base_.randcls_view, extra_views=[_base_.bcl_view, _base_.bcl_view])
train_dataloader = dict(batch_size=256, dataset=dict(crop_area=[(0.08, 1.0), (0.08, 1.0), (0.08, 1.0)]))
train_cfg = dict(max_epochs=100)
optim_wrapper = dict(optimizer=dict(lr=0.2, weight_decay=1e-4))
auto_scale_lr = dict(base_batch_size=256)
