"""cRT on cached features of an EfficientNet-Lite0 fine-tuned with cross entropy; seconds, after that one's 20 epochs."""

_base_ = ['efficientnet_lite0_linear_probe.py']

prerequisites = dict(backbone=dict(config='efficientnet_lite0_ce.py'))
model = dict(loss=dict(_delete_=True, type='CrossEntropyLoss'))  # with a new head
train_dataloader = dict(sampler=dict(_delete_=True, type='ClassAwareSampler', samples_per_class=4, length='dataset'))
