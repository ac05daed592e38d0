"""Every config of detection builds; each model takes a step on small images, and the data beside it are read where they are."""

import numpy as np
import pytest
import torch

from mmlt.config.check import check_parts
from mmlt.config.find import config_roots
from mmlt.config.load import load_config
from mmlt.detection import MaskRCNN
from mmlt.registry import MODELS

ROOT = config_roots()[0]
CONFIGS = sorted(str(path.relative_to(ROOT)) for path in (ROOT / 'detection').glob('*.py'))
LVIS = {'v1': 1203, 'v05': 1230}
pytestmark = pytest.mark.slow


@pytest.mark.parametrize('config', CONFIGS)
def test_it_builds_and_takes_a_step(config, batch):
    cfg = load_config(ROOT / config)
    check_parts(dict(cfg.items()))
    assert (ROOT / config).read_text().startswith('"""')
    cfg.model.data_preprocessor.update(short_sides=[64], longest_side=96)
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    model.set_class_counts(np.arange(1, model.num_classes + 1).tolist())
    model.set_num_images(5000)
    model.train()
    losses = model(*model.data_preprocessor(batch, True), mode='loss')
    sum(losses.values()).backward()
    assert all(bool(value.isfinite()) for value in losses.values()), losses
    trained = {name for name, value in model.named_parameters() if value.grad is not None}
    assert trained == {name for name, value in model.named_parameters() if value.requires_grad}
    assert ('segm' in cfg.val_evaluator.iou_types) == isinstance(model, MaskRCNN)


@pytest.mark.parametrize('version', LVIS)
def test_the_published_settings(version):
    plain, second = (load_config(ROOT / f'detection/mask_rcnn_r50_fpn_lvis_{version}{end}.py') for end in ('', '_balanced'))
    for cfg, steps, drops in ((plain, 90_000, (60_000, 80_000)), (second, 22_000, (11_000, 18_000))):
        epoch = cfg.train_dataloader.sampler.num_samples // cfg.train_dataloader.batch_size
        assert cfg.train_dataloader.batch_size == 16 and cfg.train_cfg.max_epochs * epoch == steps
        (schedule,) = [one for one in cfg.param_scheduler if one.type == 'MultiStepLR']
        assert tuple(epoch * milestone for milestone in schedule.milestones) == drops
        assert cfg.optim_wrapper.optimizer.lr == 0.02 and cfg.train_dataloader.sampler.threshold == 0.001
        assert cfg.model.num_classes == LVIS[version]
        assert cfg.model.settings.box_detections_per_img == 300 and cfg.model.settings.box_score_thresh == 1e-4
        assert (min(cfg.data_preprocessor.short_sides), max(cfg.data_preprocessor.short_sides)) == (640, 800)
    assert plain.model.box_loss == dict(type='SigmoidBoxLoss', prior=0.001) and 'prerequisites' not in plain
    assert second.model.box_loss.type == 'BalancedSigmoidBoxLoss' and second.model.trained == 'box_classifier'
    assert second.prerequisites.init.config == f'mask_rcnn_r50_fpn_lvis_{version}.py'
