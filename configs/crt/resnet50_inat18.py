"""cRT, ResNet-50, iNaturalist 2018; global batch 512, 30 epochs on the 90-epoch CE run, learning rate 0.2: for GPUs.

No figure of this network is at hand; the settings are those of the authors for it.
An epoch has as many draws as if every class were as large as the largest.
Source of the settings: Kang et al., Decoupling (ICLR 2020), and its code.
"""

_base_ = ['../ce/resnet50_inat18.py']

prerequisites = dict(backbone=dict(config='../ce/resnet50_inat18.py'))
model = dict(type='FrozenBackboneClassifier')  # with a new head
train_dataloader = dict(sampler=dict(_delete_=True, type='ClassAwareSampler', samples_per_class=4, length='max_count'))
train_cfg = dict(max_epochs=30)
