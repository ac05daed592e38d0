"""Cross entropy, pretrained ViT-S/16, your photos at 224 pixels; 20 epochs."""

_base_ = [
    '../_base_/datasets/photos.py',
    '../_base_/models/timm_vit_small.py',
    '../_base_/schedules/finetune_adamw_20e.py',
    '../_base_/default_runtime.py',
]
