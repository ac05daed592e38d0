"""The losses for mmdet: mmlt's own values, and what mmdet's box head asks of a loss. mmdet itself is not needed."""

import importlib
import json
import math
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import Registry

from mmlt.models import losses as L

FOLDER = Path(__file__).resolve().parents[2] / 'projects/mmdet'
K = 4


@pytest.fixture
def registry(monkeypatch) -> Registry:
    """The registry that the losses come into, in place of mmdet's."""
    package, module = ModuleType('mmdet'), ModuleType('mmdet.registry')
    package.registry, module.MODELS = module, Registry('model of mmdet')
    monkeypatch.setitem(sys.modules, 'mmdet', package)
    monkeypatch.setitem(sys.modules, 'mmdet.registry', module)
    monkeypatch.syspath_prepend(str(FOLDER))
    monkeypatch.delitem(sys.modules, 'balanced_activation', raising=False)
    importlib.import_module('balanced_activation')
    return module.MODELS


@pytest.fixture
def ann_file(tmp_path) -> str:
    """Ten images, of which classes 0 to 3 are in 8, 4, 2 and 1; one image is empty, one object a crowd."""
    held = {0: range(8), 1: range(4), 2: (0, 8), 3: (3,)}
    annotations = [dict(image_id=i, category_id=10 * c + 1) for c, images in held.items() for i in images]
    annotations += [dict(image_id=0, category_id=1), dict(image_id=8, category_id=31, iscrowd=1)]
    content = dict(
        images=[dict(id=i) for i in range(10)], annotations=annotations, categories=[dict(id=i) for i in (31, 1, 21, 11)]
    )
    (tmp_path / 'train.json').write_text(json.dumps(content))
    return str(tmp_path / 'train.json')


def case(channels: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return 2 * torch.randn(30, channels, generator=generator), torch.randint(0, K + 1, (30,), generator=generator)


def test_balanced_softmax_is_mmlts(registry, ann_file):
    loss = registry.build(dict(type='BalancedSoftmaxBoxLoss', num_classes=K, ann_file=ann_file))
    assert loss.class_counts.tolist() == [8, 4, 2, 1] and loss.num_images == 9
    scores, label = case(loss.get_cls_channels(K))
    ours = L.balanced_softmax_box_loss(scores.roll(1, dims=1), (label + 1) % (K + 1), loss.class_counts)
    torch.testing.assert_close(loss(scores, label), ours)
    assert torch.equal(loss.get_activation(scores), scores.softmax(dim=1))


def test_balanced_sigmoid_is_mmlts(registry, ann_file):
    loss = registry.build(dict(type='BalancedSigmoidBoxLoss', num_classes=K, ann_file=ann_file, loss_weight=2.0))
    scores, label = case(loss.get_cls_channels(K))
    assert scores.shape == (30, K)
    ours = L.balanced_sigmoid_box_loss(scores, (label + 1) % (K + 1), loss.class_counts / 9)
    torch.testing.assert_close(loss(scores, label), 2 * ours)
    activation = loss.get_activation(scores)
    assert torch.equal(activation[:, :K], scores.sigmoid()) and (activation[:, K] == 0).all()


@pytest.mark.parametrize('name', ['BalancedSoftmaxBoxLoss', 'BalancedSigmoidBoxLoss'])
def test_what_a_box_head_asks_for(registry, ann_file, name):
    loss = registry.build(dict(type=name, num_classes=K, ann_file=ann_file))
    assert loss.custom_cls_channels and loss.custom_activation
    scores, label = case(loss.get_cls_channels(K))
    each = loss(scores, label, reduction_override='none')
    assert each.shape == (30,)
    weight = (torch.arange(30) % 3 > 0).float()
    # As mmdet's box head calls it.
    given = loss(scores, label, weight, avg_factor=float(weight.sum()), reduction_override=None)
    torch.testing.assert_close(given, (each * weight).sum() / weight.sum())
    torch.testing.assert_close(loss(scores, label, reduction_override='sum'), each.sum())
    kept = label != 2
    torch.testing.assert_close(loss(scores, label, ignore_index=2), each[kept].sum() / 30)
    objects = label < K
    share = (loss.get_activation(scores)[objects, :K].argmax(dim=1) == label[objects]).float().mean()
    assert loss.get_accuracy(scores, label)['acc_classes'].item() == pytest.approx(100 * share.item())
    assert loss(scores.half(), label).dtype == torch.float32
    assert not loss.state_dict(), 'checkpoints of other losses fit'


def test_another_number_of_classes_is_refused(registry, ann_file):
    with pytest.raises(ValueError, match='has 4 classes, num_classes is 5'):
        registry.build(dict(type='BalancedSigmoidBoxLoss', num_classes=5, ann_file=ann_file))


def test_the_config_builds_the_loss_and_begins_at_the_prior(registry, ann_file):
    (path,) = FOLDER.glob('mask-rcnn*.py')
    text = path.read_text()
    assert "_base_ = 'mmdet::" in text
    cfg = Config.fromstring(text.replace("_base_ = 'mmdet::", "base = '"), '.py')
    head = cfg.model.roi_head.bbox_head
    assert head.loss_cls.pop('_delete_') and head.loss_cls.num_classes == 1203
    loss = registry.build(dict(head.loss_cls, num_classes=K, ann_file=ann_file))
    assert loss.get_cls_channels(K) == K
    assert head.init_cfg[0].bias == pytest.approx(-math.log(999), abs=1e-3)
