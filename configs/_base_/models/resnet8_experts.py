"""Three ResNet-8 experts for small images, which share the stem and the first stage; balanced softmax."""

model = dict(
    type='MultiExpertClassifier',
    backbone=dict(
        type='MultiExpertBackbone', backbone=dict(type='ResNetCIFAR', depth=8), num_experts=3, shared_stages=1
    ),
    head=dict(type='LinearHead'),
    loss=dict(type='BalancedSoftmaxLoss'),
)
