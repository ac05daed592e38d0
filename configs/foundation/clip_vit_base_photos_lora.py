"""As clip_vit_base_photos.py, with LoRA in place of adapters."""

_base_ = ['clip_vit_base_photos.py']

model = dict(backbone=dict(tunings=['lora']))
