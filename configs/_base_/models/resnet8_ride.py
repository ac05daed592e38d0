"""RIDE's experts on ResNet-8: stem and first stage shared, three experts of 3/4 of the width, cosine classifiers."""

_base_ = ['resnet32_ride.py']

model = dict(backbone=dict(backbone=dict(depth=8)))
