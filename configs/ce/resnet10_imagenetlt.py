"""Cross entropy, ResNet-10, ImageNet-LT; global batch 512, 90 epochs, learning rate 0.2: for GPUs.

Reported: 34.8 (the softmax baseline of Balanced Meta-Softmax).
On G GPUs each takes its share: `--cfg-options train_dataloader.batch_size=<512 / G>`.
Source of the settings: Ren et al., Balanced Meta-Softmax (NeurIPS 2020), and its code, as Decoupling's for larger networks.
"""

_base_ = [
    '../_base_/models/resnet10.py',
    '../_base_/datasets/imagenet_lt.py',
    '../_base_/schedules/decoupling_90e.py',
    '../_base_/default_runtime.py',
]
