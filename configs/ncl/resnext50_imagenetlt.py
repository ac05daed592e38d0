"""NCL, three separate ResNeXt-50, ImageNet-LT; global batch 256, 200 epochs, learning rate 0.2: for GPUs.

No figure that was seen is reported for it. As in the configs that the authors released there is no contrastive branch. Their
cosine classifiers have a learned bias, which these have not. Source: Li et al., NCL (CVPR 2022), and its code.
Their batch normalisation sees the images of all GPUs: `--cfg-options sync_bn=torch`.
"""

_base_ = ['resnet50_imagenetlt.py']

model = dict(backbone=dict(backbone=dict(model_name='resnext50_32x4d')))
