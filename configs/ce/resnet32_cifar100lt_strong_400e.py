"""Cross entropy, ResNet-32, CIFAR-100-LT, ratio 100; NCL's recipe: AutoAugment, Cutout, 400 epochs, batch 64: for a GPU."""

_base_ = [
    '../_base_/models/resnet32_cifar.py',
    '../_base_/datasets/cifar100lt_strong.py',
    '../_base_/schedules/strong_400e.py',
    '../_base_/default_runtime.py',
]

train_dataloader = dict(batch_size=64)
model = dict(head=dict(init='torch'))
