"""SSD, stage 1: CE and contrast with images of other labels, ResNet-32, CIFAR-10-LT, ratio 100; 200 epochs, for a GPU."""

_base_ = ['../ce/resnet32_cifar10lt.py', '../_base_/datasets/simclr_view.py']

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
blur = dict(type='GaussianBlur', sigma=(0.1, 2.0), probability=0.5)
data_preprocessor = dict(extra_views=[[*_base_.simclr_view, blur]])  # the key's; the query's is that of the other stages
