"""LDAM-DRW, ResNet-8, digits-LT, ratio 50; 60 epochs, batch 64: seconds on a CPU."""

_base_ = ['../ce/resnet8_digitslt.py']

model = dict(
    head=dict(type='CosineHead', scale=1.0),  # the loss scales
    loss=dict(_delete_=True, type='LDAMLoss', max_margin=0.5, scale=30.0),
    reweighting=dict(beta=0.9999, start_epoch='first_drop'),
)
