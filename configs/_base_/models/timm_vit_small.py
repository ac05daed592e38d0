"""timm's ViT-S/16, pretrained on ImageNet-21k (22 M weights, 4.3 G multiply-adds at 224 pixels), with a linear classifier."""

model = dict(
    type='LongTailedClassifier',
    backbone=dict(
        type='TimmBackbone',
        model_name='vit_small_patch16_224.augreg_in21k',
        pretrained=True,
        img_size='{image_size}',
        drop_path_rate=0.1,
    ),
    head=dict(type='LinearHead', init='torch'),
    loss=dict(type='CrossEntropyLoss'),
)
