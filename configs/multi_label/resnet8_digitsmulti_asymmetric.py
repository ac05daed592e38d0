"""Asymmetric loss (ASL), ResNet-8, several digits on a canvas; 60 epochs, batch 50."""

_base_ = ['resnet8_digitsmulti.py']

model = dict(loss=dict(type='AsymmetricLoss', gamma_positive=1.0, gamma_negative=4.0, margin=0.05))
