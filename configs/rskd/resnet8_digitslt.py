"""RSKD, a reconstruction: three teachers by shot, ResNet-8, digits-LT, ratio 50; 60 epochs: seconds on a CPU."""

_base_ = ['../ce/resnet8_digitslt.py']

prerequisites = dict(
    teacher=[
        dict(config='resnet8_digitslt_many.py'),
        dict(config='resnet8_digitslt_medium.py'),
        dict(config='resnet8_digitslt_few.py'),
    ],
)
model = dict(type='RSKDClassifier', temperature=2.0, alpha=1.0)
