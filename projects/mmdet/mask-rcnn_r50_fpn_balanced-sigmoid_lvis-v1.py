"""mmdet 3: Mask R-CNN, ResNet-50-FPN, balanced sigmoid, LVIS v1. Start it from mmdet's folder, with this one in PYTHONPATH."""

_base_ = 'mmdet::lvis/mask-rcnn_r50_fpn_sample1e-3_ms-1x_lvis-v1.py'

custom_imports = dict(imports=['balanced_activation'], allow_failed_imports=False)

model = dict(
    roi_head=dict(
        bbox_head=dict(
            loss_cls=dict(
                _delete_=True,
                type='BalancedSigmoidBoxLoss',
                num_classes=1203,
                ann_file='data/lvis_v1/annotations/lvis_v1_train.json',
            ),
            init_cfg=[
                # The bias of a prior of 0.001: -log(0.999 / 0.001).
                dict(type='Normal', std=0.01, bias=-6.907, override=dict(name='fc_cls')),
                dict(type='Normal', std=0.001, override=dict(name='fc_reg')),
                dict(type='Xavier', distribution='uniform', override=dict(name='shared_fcs')),
            ],
        )
    )
)
