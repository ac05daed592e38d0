"""CE with a cosine head of scale 20, the teacher of CBD, ResNet-8, digits-LT, ratio 50; 60 epochs: seconds on a CPU."""

_base_ = ['../ce/resnet8_digitslt.py']

model = dict(head=dict(type='CosineHead', scale=20.0))
