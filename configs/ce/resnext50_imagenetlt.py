"""Cross entropy, ResNeXt-50, ImageNet-LT; global batch 512, 90 epochs, learning rate 0.2: for GPUs.

Reported: 44.4 (many 65.9, medium 37.5, few 7.7).
On G GPUs each takes its share: `--cfg-options train_dataloader.batch_size=<512 / G>`.
Source of the settings: Kang et al., Decoupling (ICLR 2020), and its code.
"""

_base_ = [
    '../_base_/models/resnext50.py',
    '../_base_/datasets/imagenet_lt.py',
    '../_base_/schedules/decoupling_90e.py',
    '../_base_/default_runtime.py',
]
