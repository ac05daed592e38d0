"""LWS on cached features of a ResNet-50 fine-tuned with cross entropy; seconds, after that one's 20 epochs."""

_base_ = ['resnet50_crt.py']

model = dict(type='LWSClassifier')
optim_wrapper = dict(optimizer=dict(lr=0.01))
train_cfg = dict(max_epochs=5)
