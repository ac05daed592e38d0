"""As clip_vit_base_photos.py, with layer norms alone in place of adapters."""

_base_ = ['clip_vit_base_photos.py']

model = dict(backbone=dict(tunings=['layer_norm']))
