"""GPaCo, ResNet-8, digits-LT, ratio 50; 60 epochs, batch 64, our settings: seconds on a CPU."""

_base_ = [
    '../_base_/models/resnet32_gpaco.py',
    '../_base_/datasets/digitslt.py',
    '../_base_/schedules/digits_60e.py',
    '../_base_/default_runtime.py',
]

model = dict(backbone=dict(depth=8), queue_size=256)  # of 342 training images
# A digit of 8x8 pixels bears a shift, a slight turn and other ink, no flip and no large crop.
weak_view = [
    dict(type='RandomCrop', padding=1),
    dict(type='RandomRotation', degrees=15),
    dict(type='ColorJitter', brightness=0.4, contrast=0.4, saturation=0, hue=0),
]
data_preprocessor = dict(extra_views=[weak_view])
