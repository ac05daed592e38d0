"""LIFT (adapters), DINOv2's ViT-S/14, your photos at 224 pixels, five crops of 248 at the test; 10 epochs, for a GPU.

The weights come from the hub or with a package (docs/foundation.md). The side of the images must be a multiple of 14;
`dinov2_vit_small_photos_98px.py` is for a CPU.
"""

_base_ = ['clip_vit_base_photos.py']

model = dict(backbone=dict(model_name='vit_small_patch14_dinov2.lvd142m'))
