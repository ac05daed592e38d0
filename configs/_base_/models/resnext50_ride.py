"""RIDE's ResNeXt-50: stem and two stages shared, three experts of 3/4 of the width (1,536 features), cosine classifiers."""

model = dict(
    type='MultiExpertClassifier',
    backbone=dict(
        type='MultiExpertBackbone',
        backbone=dict(type='TimmBackbone', model_name='resnext50_32x4d'),
        num_experts=3,
        shared_stages=2,
        expert_width=0.75,
    ),
    head=dict(type='CosineHead', scale=30.0),
)
