"""CLIP's ViT-B/16, its trunk frozen, adapters beside the MLPs, and a cosine head that starts from class means (LIFT).

OpenAI trained it with the quick GELU, x * sigmoid(1.702 x); timm's network without `quickgelu` in its name has another one.
"""

model = dict(
    type='CropEnsembleClassifier',
    crop_size='{image_size}',
    backbone=dict(
        type='TunedViT',
        model_name='vit_base_patch16_clip_quickgelu_224.openai',
        pretrained=True,
        img_size='{image_size}',
        tunings=['adapter'],
    ),
    head=dict(type='CosineHead', scale=25.0),
    loss=dict(type='LogitAdjustedLoss', tau=1.0),
)
custom_hooks = [dict(type='HeadStartHook')]
