"""Runs on images with several labels: the best epoch by mAP, thresholds in the checkpoint, resumed, refused."""

import csv
import json

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score, f1_score

from mmlt.apis.adjustment import Adjustment
from mmlt.apis.test import test as evaluate
from mmlt.apis.train import train
from mmlt.config.find import config_roots
from mmlt.datasets import LongTailedDataset, MultiLabelDigits
from mmlt.engine.finished import load_classifier
from mmlt.errors import UserError

pytestmark = pytest.mark.slow
ROOT = config_roots()[0]


def write(folder, base: str, more: str = '') -> None:
    (folder / 'run.py').write_text(
        f"_base_ = ['{ROOT}/multi_label/{base}.py']\ntrain_cfg = dict(max_epochs=3, val_interval=1)\n"
        f'default_hooks = dict(checkpoint=dict(seconds=0))\n{more}'
    )


def logits_of(checkpoint, dataset) -> np.ndarray:
    model = load_classifier(checkpoint).eval()
    images, _ = dataset.tensors()
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in ((0.209, 0.200, 0.190), (0.169, 0.135, 0.141)))
    with torch.no_grad():
        return model((images / 255 - mean) / std).double().numpy()


@pytest.mark.parametrize('averaged', [False, True])
def test_thresholds_are_chosen_on_the_hold_out_and_used_from_the_checkpoint(averaged, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    hooks = "custom_hooks = [dict(type='ThresholdHook'), dict(type='EMAHook', momentum=0.1)]"
    write(tmp_path, 'resnet8_digitsmulti_thresholds', hooks if averaged else '')
    record = train('run.py')
    folder = tmp_path / 'work_dirs/run/seed0'
    cuts = torch.load(folder / 'epoch_3.pth')['meta']['thresholds']
    holdout = LongTailedDataset(MultiLabelDigits(), profile='natural', protocol='cao-holdout', split='holdout')
    scores, shown = logits_of(folder / 'epoch_3.pth', holdout), holdout.labels > 0
    for c in range(20):
        own = f1_score(shown[:, c], scores[:, c] >= cuts[c])
        every = max(f1_score(shown[:, c], scores[:, c] >= cut) for cut in scores[:, c])
        assert own == pytest.approx(every), c
    test = MultiLabelDigits('test')
    scores, shown = logits_of(folder / 'epoch_3.pth', test), test.labels > 0
    metrics = record['last']['metrics']
    assert metrics['F1'] == pytest.approx(100 * f1_score(shown, scores >= cuts, average='macro', zero_division=0), abs=0.2)
    assert metrics['mAP'] == pytest.approx(100 * average_precision_score(shown, scores, average='macro'), abs=0.05)
    assert evaluate('run.py', folder / 'epoch_3.pth')['metrics'] == pytest.approx(metrics)
    twice = evaluate('run.py', [folder / 'epoch_3.pth'] * 2)  # the mean of a model with itself, its thresholds too
    assert twice['metrics'] == pytest.approx(metrics) and twice['tuned']['thresholds']['value'] == pytest.approx(cuts, abs=1e-5)
    assert (folder / 'test' / 'by_label_ensemble.csv').is_file()
    for adjustment in (Adjustment('prior'), Adjustment('tau_norm', tau='1')):
        with pytest.raises(UserError, match='for one label an image'):
            evaluate('run.py', folder / 'epoch_3.pth', adjustment=adjustment)
    model = load_classifier(folder / 'epoch_3.pth')
    assert model.thresholds.tolist() == pytest.approx(cuts) and model.to('meta').thresholds.device.type == 'meta'
    assert record['best']['selected_by'] == 'mAP'
    history = torch.load(folder / 'epoch_3.pth')['meta']['history']
    values = {one['epoch']: one['metrics']['mAP'] for one in history} | {3: metrics['mAP']}
    assert record['best']['epoch'] == max(values, key=values.get)
    with open(folder / 'by_label.csv', newline='') as file:
        rows = list(csv.DictReader(file))
    assert np.mean([float(row['AP']) for row in rows]) == pytest.approx(metrics['mAP'], abs=1e-4)
    assert float(rows[3]['threshold']) == pytest.approx(1 / (1 + np.exp(-cuts[3])), abs=1e-5)
    assert 'mean average precision, few-shot' in (folder / 'report.html').read_text()
    groups = json.loads((folder / 'results.json').read_text())['shot_groups']
    assert groups == dict(convention='standard', many=6, medium=6, few=8)


def test_a_checkpoint_between_two_evaluations_has_no_thresholds_of_other_weights(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path, 'resnet8_digitsmulti_thresholds')
    overrides = {'train_cfg.max_epochs': 4, 'train_cfg.val_interval': 2, 'train_cfg.val_last': 0}
    train('run.py', work_dir=tmp_path / 'own', overrides=overrides)
    found = {epoch: torch.load(tmp_path / f'own/epoch_{epoch}.pth')['meta'] for epoch in (3, 4)}
    assert 'thresholds' not in found[3] and 'thresholds' in found[4]


def test_a_training_set_without_a_hold_out_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path, 'resnet8_digitsmulti', "custom_hooks = [dict(type='ThresholdHook')]\n")
    with pytest.raises(UserError, match="protocol='cao-holdout'"):
        train('run.py')


def test_a_sampler_of_one_label_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path, 'resnet8_digitsmulti', "train_dataloader = dict(sampler=dict(type='ClassBalancedSampler'))\n")
    with pytest.raises(UserError, match='ClassBalancedSampler draws by the one label of an image'):
        train('run.py')


def test_the_wrong_metric_says_which_is_right(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path, 'resnet8_digitsmulti', "val_evaluator = dict(type='ShotGroupMetric')\n")
    with pytest.raises(UserError, match='one target an image'):
        train('run.py')
