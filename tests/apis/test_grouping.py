"""Groups of classes that a model confuses."""

import json

import numpy as np
import pytest
import torch

from mmlt.apis.grouping import confusions, cut
from mmlt.config.find import config_roots
from mmlt.datasets import Digits, MultiLabelDigits
from mmlt.registry import MODELS


def test_confused_classes_come_together():
    rng = np.random.default_rng(0)
    blocks = [[0, 4, 7], [1, 2, 8], [3, 5, 6]]
    confused = rng.uniform(0, 0.01, (9, 9)) + 0.7 * np.eye(9)
    for block in blocks:
        confused[np.ix_(block, block)] += 0.1
    confused[0, 1] += 0.02  # a chain between the blocks, so that their order is told
    confused[2, 3] += 0.02
    assert sorted(cut(confused, 3)) == blocks
    assert sorted(len(part) for part in cut(confused, 4)) == [2, 2, 2, 3]


@pytest.mark.parametrize('several', [False, True])
def test_confusions_are_mean_probabilities(several):
    dataset = MultiLabelDigits('test') if several else Digits('test')
    classes = len(dataset.classes)
    torch.manual_seed(0)
    loss = dict(type='BinaryCrossEntropyLoss') if several else None
    model = MODELS.build(
        dict(
            type='LongTailedClassifier',
            backbone=dict(type='ResNetCIFAR', depth=8),
            head=dict(type='LinearHead', num_classes=classes),
            loss=loss,
            data_preprocessor=dict(type='BatchPreprocessor', mean=(0.5,) * 3, std=(0.25,) * 3),
        )
    ).eval()
    found = confusions(model, dataset)
    images, labels = dataset.tensors()
    with torch.no_grad():
        logits = model((images / 255 - 0.5) / 0.25).double()
    p = logits.sigmoid() if several else logits.softmax(1)
    for c in range(classes):
        rows = labels[:, c] > 0 if several else labels == c
        np.testing.assert_allclose(found[c], p[rows].mean(0).numpy(), atol=1e-5)


@pytest.mark.slow
def test_the_tool_writes_a_file_that_a_teacher_reads(call, tmp_path):
    done = call('train', 'ce/resnet8_digitslt', '--cfg-options', 'train_cfg.max_epochs=1')
    assert done.code == 0, done.err
    checkpoint = next((tmp_path / 'work_dirs').rglob('epoch_1.pth'))
    done = call('group_classes', 'ce/resnet8_digitslt', checkpoint, '--groups', 3, '--out', 'groups.json')
    assert done.code == 0 and 'written to groups.json' in done.out, done.err
    groups = json.loads((tmp_path / 'groups.json').read_text())
    assert sorted(name for group in groups.values() for name in group) == list('0123456789')
    again = call('group_classes', 'ce/resnet8_digitslt', checkpoint, '--groups', 3, '--out', 'groups.json')
    assert again.code == 1 and 'groups.json is there already' in again.err + again.out
    few = call('group_classes', 'ce/resnet8_digitslt', checkpoint, '--groups', 6, '--out', 'other.json')
    assert few.code == 1 and 'groups must be a whole number' in few.err + few.out
    (tmp_path / 'teacher.py').write_text(
        f"_base_ = ['{config_roots()[0]}/ce/resnet8_digitslt.py']\ntrain_cfg = dict(max_epochs=1)\n"
        "train_dataloader = dict(classes=dict(group='group 0', file='groups.json'))\n"
        f'num_classes = {len(groups["group 0"])}\n'
    )
    done = call('train', 'teacher.py')
    assert done.code == 0, done.err


def test_a_class_without_an_image_is_confused_with_none():
    backbone, head = dict(type='ResNetCIFAR', depth=8), dict(type='LinearHead', num_classes=11)  # the digits are ten
    preprocessor = dict(type='BatchPreprocessor', mean=(0.5,) * 3, std=(0.25,) * 3)
    model = MODELS.build(dict(type='LongTailedClassifier', backbone=backbone, head=head, data_preprocessor=preprocessor)).eval()
    found = confusions(model, Digits('test'))
    assert np.isfinite(found).all() and not found[10].any()
    assert sorted(sum(cut(found, 2), [])) == list(range(11))
