"""Binary cross entropy, ResNet-8, several digits on a canvas; 60 epochs, batch 50."""

_base_ = [
    '../_base_/models/resnet8_cifar.py',
    '../_base_/datasets/multi_label_digits.py',
    '../_base_/schedules/digits_60e.py',
    '../_base_/default_runtime.py',
]

model = dict(loss=dict(type='BinaryCrossEntropyLoss'))
val_evaluator = dict(type='MultiLabelMetric', convention='standard')
test_evaluator = val_evaluator
