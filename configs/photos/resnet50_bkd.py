"""BKD, pretrained ResNet-50, your photos at 224 pixels; 20 epochs, after those of its balanced-softmax teacher."""

_base_ = ['resnet50_balanced_softmax.py']

prerequisites = dict(teacher=dict(config='resnet50_balanced_softmax.py'))
model = dict(type='BKDClassifier', temperature=2.0, alpha=1.0, beta=0.9999, reweight_start_epoch=0)
