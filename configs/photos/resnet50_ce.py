"""Cross entropy, pretrained ResNet-50, your photos at 224 pixels; 20 epochs."""

_base_ = [
    '../_base_/datasets/photos.py',
    '../_base_/models/timm_resnet50.py',
    '../_base_/schedules/finetune_20e.py',
    '../_base_/default_runtime.py',
]
