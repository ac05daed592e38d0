"""Three ResNet-32 experts, balanced softmax, CIFAR-100-LT, ratio 100; NCL's recipe of 400 epochs: for a GPU."""

_base_ = [
    '../_base_/models/resnet32_experts.py',
    '../_base_/datasets/cifar100lt_strong.py',
    '../_base_/schedules/strong_400e.py',
    '../_base_/experts_runtime.py',
]

train_dataloader = dict(batch_size=64)
