"""RSKD, a reconstruction: three teachers by shot, binary distillation, ResNet-8, several digits on a canvas; 60 epochs."""

_base_ = ['../multi_label/resnet8_digitsmulti.py']

prerequisites = dict(
    teacher=[
        dict(config='resnet8_digitsmulti_many.py'),
        dict(config='resnet8_digitsmulti_medium.py'),
        dict(config='resnet8_digitsmulti_few.py'),
    ],
)
model = dict(type='RSKDClassifier', temperature=2.0, alpha=1.0)
