"""LIFT (adapters), DINOv2's ViT-S/14, your photos at 98 pixels, one crop at the test; 5 epochs, about 50 images/s a CPU core.

Fewer epochs at twice the learning rate, as LIFT+ has them, and small batches: a few thousand photos are few steps.
"""

_base_ = ['dinov2_vit_small_photos.py']

image_size = 98
train_dataloader = dict(batch_size=32)
val_dataloader = dict(dataset=dict(image_size='{image_size}', resize=None))
test_dataloader = dict(dataset=dict(image_size='{image_size}', resize=None))
train_cfg = dict(max_epochs=5)
optim_wrapper = dict(optimizer=dict(lr=0.02))
