"""CE with deferred re-weighting, ResNet-8, digits-LT, ratio 50; 60 epochs, batch 64: seconds on a CPU."""

_base_ = ['../ce/resnet8_digitslt.py']

model = dict(reweighting=dict(beta=0.9999, start_epoch='first_drop'))
