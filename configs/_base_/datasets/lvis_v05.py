"""LVIS v0.5: 1,230 classes, images of COCO 2017; repeat-factor sampling, an epoch is 16,000 draws (1,000 steps of 16).

Under data/lvis lie lvis_v0.5_train.json and lvis_v0.5_val.json, under data/coco the folders train2017 and val2017.
"""

_base_ = ['lvis_v1.py']

train_dataloader = dict(dataset=dict(ann_file='lvis_v0.5_train.json', img_root='data/coco/train2017'))
val_dataloader = dict(dataset=dict(ann_file='lvis_v0.5_val.json', img_root='data/coco/val2017'))
test_dataloader = dict(dataset=dict(ann_file='lvis_v0.5_val.json', img_root='data/coco/val2017'))
