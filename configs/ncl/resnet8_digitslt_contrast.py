"""NCL with its contrastive branch, three separate ResNet-8, digits-LT, ratio 50; seconds on a CPU."""

_base_ = ['resnet8_digitslt.py']

data_preprocessor = dict(extra_views=[[dict(type='RandomCrop', padding=1)]])
model = dict(contrast=dict(dim=64, queue_size=256))
