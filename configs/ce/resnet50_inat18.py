"""Cross entropy, ResNet-50, iNaturalist 2018; global batch 512, 90 epochs, learning rate 0.2: for GPUs.

Reported: 61.7.
On G GPUs each takes its share: `--cfg-options train_dataloader.batch_size=<512 / G>`.
Source of the settings: Kang et al., Decoupling (ICLR 2020), and its code.
"""

_base_ = [
    '../_base_/models/resnet50.py',
    '../_base_/datasets/inat18.py',
    '../_base_/schedules/decoupling_90e.py',
    '../_base_/default_runtime.py',
]

optim_wrapper = dict(optimizer=dict(weight_decay=1e-4))
