"""SSD, stage 1: CE and contrast with images of other labels, ResNet-32, CIFAR-10-LT, ratio 100; 200 epochs, for a GPU."""

_base_ = ['../ce/resnet32_cifar10lt.py', '../_base_/datasets/query_and_key_views.py']

model = dict(
    terms=[
        dict(
            type='OtherLabelContrast',
            dim=128,
            queue_size=12288,  # an epoch of whole batches: 12,406 // 128 * 128
            momentum=0.999,
            temperature=0.2,
        ),
    ],
)
data_preprocessor = dict(train_transforms=_base_.query_view, extra_views=[[*_base_.simclr_view, _base_.blur]])
