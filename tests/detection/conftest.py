"""Small detectors and sets for the tests of detection."""

import numpy as np
import pytest
import torch

from mmlt.registry import MODELS


@pytest.fixture
def build_detector():
    """A detector of 5 classes on 32 channels, its weights and counts from a seed."""

    def build(kind='FasterRCNN', box_loss=None, seed=0, num_classes=5, **options):
        torch.manual_seed(seed)
        cfg = dict(
            type=kind,
            backbone=dict(type='SmallConvNet', channels=32),
            num_classes=num_classes,
            box_loss=box_loss or dict(type='SigmoidBoxLoss'),
            anchor_sizes=[[10, 16]],
            aspect_ratios=[1.0],
            box_channels=32,
            settings=dict(
                rpn_batch_size_per_image=32,
                rpn_post_nms_top_n_train=40,
                box_batch_size_per_image=16,
                box_score_thresh=1e-4,
            ),
            data_preprocessor=dict(type='DetectionPreprocessor', mean=(0.2,) * 3, std=(0.2,) * 3, divisor=4),
        )
        if kind == 'MaskRCNN':
            cfg.update(mask_channels=8, mask_layers=1)
        model = MODELS.build({**cfg, **options})
        model.set_class_counts([50, 20, 9, 4, 1][:num_classes])
        model.set_num_images(60)
        model.data_preprocessor.seed = 11
        return model

    return build


@pytest.fixture
def batch():
    """Two images of different size with bright squares, a class a grey value."""
    from mmlt.detection import DetectionBatch

    random = np.random.default_rng(0)
    images, targets = [], []
    for height, width, labels in ((40, 48, (0, 3)), (48, 36, (1, 2, 4))):
        image = random.integers(0, 40, (3, height, width), dtype=np.uint8)
        boxes, masks = [], np.zeros((len(labels), height, width), dtype=np.uint8)
        for place, label in enumerate(labels):
            left, top = 2 + 13 * place, 3 + 11 * place
            image[:, top : top + 12, left : left + 10] = 90 + 40 * label
            masks[place, top : top + 12, left : left + 10] = 1
            boxes.append([left, top, left + 10, top + 12])
        images.append(torch.from_numpy(image))
        targets.append(
            dict(
                boxes=torch.tensor(boxes, dtype=torch.float32),
                labels=torch.tensor(labels),
                masks=torch.from_numpy(masks),
            )
        )
    return DetectionBatch(images, targets, torch.tensor([4, 9]), torch.tensor([100, 101]))
