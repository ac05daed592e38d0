"""cRT on cached features of a ResNet-50 fine-tuned with cross entropy; seconds, after that one's 20 epochs."""

_base_ = ['resnet50_linear_probe.py']

prerequisites = dict(backbone=dict(config='resnet50_ce.py'))
model = dict(loss=dict(_delete_=True, type='CrossEntropyLoss'))  # with a new head
train_dataloader = dict(sampler=dict(_delete_=True, type='ClassAwareSampler', samples_per_class=4, length='dataset'))
