"""LIFT (adapters), DINOv2's ViT-S/14, your photos at 98 pixels, one crop at the test; 5 epochs, about 45 images/s a CPU core.

5 epochs and a learning rate of 0.02 for 128 images are LIFT+'s; here 32 are a step, since a few thousand photos are few steps,
and a quarter of the rate goes with them.
"""

_base_ = ['dinov2_vit_small_photos.py']

image_size = 98
train_dataloader = dict(batch_size=32)
val_dataloader = dict(dataset=dict(image_size='{image_size}', resize=None))
test_dataloader = dict(dataset=dict(image_size='{image_size}', resize=None))
train_cfg = dict(max_epochs=5)
optim_wrapper = dict(optimizer=dict(lr=0.005))
