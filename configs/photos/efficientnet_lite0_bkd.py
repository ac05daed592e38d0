"""BKD, pretrained EfficientNet-Lite0, your photos at 224 pixels; 20 epochs, after those of its balanced-softmax teacher."""

_base_ = ['efficientnet_lite0_balanced_softmax.py']

prerequisites = dict(teacher=dict(config='efficientnet_lite0_balanced_softmax.py'))
model = dict(type='BKDClassifier', temperature=2.0, alpha=1.0, beta=0.9999, reweight_start_epoch=0)
