"""ECL's parts: re-weighted and feature distillation, no contrast; ResNet-32, CIFAR-100-LT, ratio 100, 400 epochs: for a GPU."""

_base_ = ['../multi_expert/resnet32_cifar100lt_strong_400e.py']

model = dict(type='ECLClassifier', contrast=None)
