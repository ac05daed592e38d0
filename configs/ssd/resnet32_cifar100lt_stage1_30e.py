"""SSD, stage 1: CE and contrast with images of other labels, ResNet-32, CIFAR-100-LT, ratio 100; 30 epochs, for a CPU."""

_base_ = ['../ce/resnet32_cifar100lt_30e.py', '../_base_/datasets/query_and_key_views.py']

model = dict(
    terms=[
        dict(
            type='OtherLabelContrast',
            dim=128,
            queue_size=10752,  # an epoch of whole batches: 10,847 // 128 * 128
            momentum=0.999,
            temperature=0.2,
        ),
    ],
)
data_preprocessor = dict(train_transforms=_base_.query_view, extra_views=[[*_base_.simclr_view, _base_.blur]])
