"""Cross entropy, ResNet-50, ImageNet-LT; global batch 512, 90 epochs, learning rate 0.2: for GPUs.

Nothing is reported by these authors for this network; for ResNeXt-50 see `resnext50_imagenetlt.py`.
On G GPUs each takes its share: `--cfg-options train_dataloader.batch_size=<512 / G>`.
Source of the settings: Kang et al., Decoupling (ICLR 2020), and its code.
"""

_base_ = [
    '../_base_/models/resnet50.py',
    '../_base_/datasets/imagenet_lt.py',
    '../_base_/schedules/decoupling_90e.py',
    '../_base_/default_runtime.py',
]
