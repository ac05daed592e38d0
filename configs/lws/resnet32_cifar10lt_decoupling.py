"""LWS with its authors' settings for ImageNet-LT, ResNet-32, CIFAR-10-LT; 5 epochs on the 200-epoch CE run: for a GPU.

Learning rate 0.2, batch 512, weight decay 5e-4; an epoch has as many draws as if every class were as large as the largest.
"""

_base_ = ['resnet32_cifar10lt.py']

train_dataloader = dict(batch_size=512, sampler=dict(length='max_count'))
optim_wrapper = dict(optimizer=dict(lr=0.2, weight_decay=5e-4))
