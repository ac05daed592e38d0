"""LIFT (adapters), CLIP's ViT-B/16, your photos at 224 pixels, five crops of 248 at the test; 10 epochs, for a GPU."""

_base_ = [
    '../_base_/datasets/photos.py',
    '../_base_/models/tuned_clip_vit_base.py',
    '../_base_/schedules/lift_10e.py',
    '../_base_/default_runtime.py',
]

train_dataloader = dict(batch_size=128)
val_dataloader = dict(dataset=dict(image_size=248, resize=248))
test_dataloader = dict(dataset=dict(image_size=248, resize=248))
