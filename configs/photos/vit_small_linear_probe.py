"""Linear probe with balanced softmax on cached features of a frozen, pretrained ViT-S/16; the head takes seconds."""

_base_ = [
    '../_base_/datasets/photos.py',
    '../_base_/models/timm_vit_small.py',
    '../_base_/schedules/probe_30e.py',
    '../_base_/default_runtime.py',
]

model = dict(type='FrozenBackboneClassifier', loss=dict(_delete_=True, type='BalancedSoftmaxLoss'))
train_dataloader = dict(batch_size=256)
