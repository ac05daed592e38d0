"""Cross entropy, pretrained EfficientNet-Lite0, your photos at 224 pixels; 20 epochs."""

_base_ = [
    '../_base_/datasets/photos.py',
    '../_base_/models/timm_efficientnet_lite0.py',
    '../_base_/schedules/finetune_20e.py',
    '../_base_/default_runtime.py',
]
