"""LIFT (adapters of 32), CLIP's ViT-B/16, ImageNet-LT; global batch 128, 10 epochs, learning rate 0.01: for GPUs.

Reported: 78.3 with five crops, as other sites list it.
The authors start the head from text features: `--cfg-options custom_hooks.0.features_file=text.npy`, a file that
docs/foundation.md makes; without, it starts from class means, as theirs does for networks without a text tower. They train in
half precision and cut the five crops out of the whole picture, these are cut out of the square in its middle.
Source of the settings: Shi et al., Long-Tail Learning with Foundation Model (LIFT, ICML 2024), and its code.
"""

_base_ = [
    '../_base_/models/tuned_clip_vit_base.py',
    '../_base_/datasets/imagenet_lt.py',
    '../_base_/schedules/lift_10e.py',
    '../_base_/default_runtime.py',
]

image_size = 224
train_dataloader = dict(batch_size=128, dataset=dict(image_size='{image_size}'))
val_dataloader = dict(batch_size=64, dataset=dict(image_size=248, resize=248))
test_dataloader = dict(batch_size=64, dataset=dict(image_size=248, resize=248))
# Mean and deviation are CLIP's, which timm knows.
data_preprocessor = dict(_delete_=True, type='BatchPreprocessor', train_transforms=[dict(type='RandomFlip')])
auto_scale_lr = dict(enable=True, base_batch_size=128)
