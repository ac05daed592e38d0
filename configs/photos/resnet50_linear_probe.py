"""Linear probe with balanced softmax on cached features of a frozen, pretrained ResNet-50; the head takes seconds."""

_base_ = [
    '../_base_/datasets/photos.py',
    '../_base_/models/timm_resnet50.py',
    '../_base_/schedules/probe_30e.py',
    '../_base_/default_runtime.py',
]

model = dict(type='FrozenBackboneClassifier', loss=dict(_delete_=True, type='BalancedSoftmaxLoss'))
train_dataloader = dict(batch_size=256)
