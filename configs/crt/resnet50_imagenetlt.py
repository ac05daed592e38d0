"""cRT, ResNet-50, ImageNet-LT; global batch 512, 10 epochs on the 90-epoch CE run, learning rate 0.2: for GPUs.

Nothing is reported by these authors for this network; for ResNeXt-50 see `resnext50_imagenetlt.py`.
An epoch has as many draws as if every class were as large as the largest.
Source of the settings: Kang et al., Decoupling (ICLR 2020), and its code.
"""

_base_ = ['../ce/resnet50_imagenetlt.py']

prerequisites = dict(backbone=dict(config='../ce/resnet50_imagenetlt.py'))
model = dict(type='FrozenBackboneClassifier')  # with a new head
train_dataloader = dict(sampler=dict(_delete_=True, type='ClassAwareSampler', samples_per_class=4, length='max_count'))
train_cfg = dict(max_epochs=10)
