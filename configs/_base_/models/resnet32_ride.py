"""RIDE's ResNet-32: stem and first stage shared, three experts of 3/4 of the width (48 features), cosine classifiers."""

model = dict(
    type='MultiExpertClassifier',
    backbone=dict(
        type='MultiExpertBackbone',
        backbone=dict(type='ResNetCIFAR', depth=32),
        num_experts=3,
        shared_stages=1,
        expert_width=0.75,
    ),
    head=dict(type='CosineHead', scale=30.0),
)
