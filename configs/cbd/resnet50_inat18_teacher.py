"""CE with a cosine head of scale 20, the teacher of CBD, ResNet-50, iNaturalist 2018.

Global batch 128, 200 epochs, learning rate 0.05: for GPUs.
Nothing is reported for the teacher alone. Pixels are divided by 255 and no more; the authors' weight decay is twice PyTorch's.
Source of the settings: Iscen et al., Class-Balanced Distillation (BMVC 2021), and its code.
"""

_base_ = [
    '../_base_/models/resnet50.py',
    '../_base_/datasets/inat18.py',
    '../_base_/schedules/decoupling_90e.py',
    '../_base_/default_runtime.py',
]

model = dict(head=dict(type='CosineHead', scale=20.0))
train_dataloader = dict(batch_size=128, drop_last=True, dataset=dict(crop_area=(0.05, 1.0)))
data_preprocessor = dict(mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0), train_transforms=[dict(type='RandomFlip')])
train_cfg = dict(max_epochs=200)
optim_wrapper = dict(optimizer=dict(lr=0.05, weight_decay=1e-4))
auto_scale_lr = dict(base_batch_size=128)
