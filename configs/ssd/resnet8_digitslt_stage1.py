"""SSD, stage 1: CE and contrast with images of other labels, ResNet-8, digits-LT, ratio 50; 60 epochs: seconds on a CPU."""

_base_ = ['../ce/resnet8_digitslt.py']

model = dict(
    terms=[
        dict(
            type='OtherLabelContrast',
            dim=128,
            queue_size=320,  # an epoch of whole batches: 342 // 64 * 64
            momentum=0.9,  # an epoch is six steps
            temperature=0.2,
        ),
    ],
)
# A digit of 8x8 pixels bears a shift, a slight turn and other ink, no flip and no large crop.
key_view = [
    dict(type='RandomCrop', padding=1),
    dict(type='RandomRotation', degrees=15),
    dict(type='ColorJitter', brightness=0.4, contrast=0.4, saturation=0, hue=0),
]
data_preprocessor = dict(extra_views=[key_view])
