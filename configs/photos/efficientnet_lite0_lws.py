"""LWS on cached features of an EfficientNet-Lite0 fine-tuned with cross entropy; seconds, after that one's 20 epochs."""

_base_ = ['efficientnet_lite0_crt.py']

model = dict(type='LWSClassifier')
optim_wrapper = dict(optimizer=dict(lr=0.01))
train_cfg = dict(max_epochs=5)
