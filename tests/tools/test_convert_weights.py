"""Published weights reach their published accuracy through the command line."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from commands import call

from mmlt.apis.convert import convert, rename, training_classes
from mmlt.engine.checkpoint import load_checkpoint
from mmlt.errors import UserError
from mmlt.models.backbones import ResNetCIFAR
from mmlt.models.weights import read_weights

ROOT = Path(__file__).resolve().parents[2]
SHARED_DATA = ROOT.parent / 'shared' / 'data'
WEIGHTS = SHARED_DATA / 'core' / 'cifar10lt100_resnet32_erm_imbalanceddl.npz'
CONFIG = 'configs/ce/resnet32_cifar10lt.py'
COUNTS = [5000, 2997, 1796, 1077, 645, 387, 232, 139, 83, 50]
PER_CLASS = [96.4, 98.4, 84.7, 79.0, 80.7, 60.3, 66.9, 60.7, 43.7, 48.7]  # an independent numpy forward pass


def digits_weights(bias=True, prefix='', head='linear'):
    """The state dict of a ResNet-8 with foreign names."""
    torch.manual_seed(0)
    weights = {prefix + name: value for name, value in ResNetCIFAR(8).state_dict().items()}
    linear = torch.nn.Linear(64, 10, bias)
    return weights | {f'{prefix}{head}.{name}': value for name, value in linear.state_dict().items()}


@pytest.mark.slow
@pytest.mark.real_data
@pytest.mark.skipif(not WEIGHTS.is_file(), reason=f'there are no published weights in {SHARED_DATA}')
def test_published_weights_reach_their_accuracy(tmp_path):
    data = tmp_path / 'cifar10'
    unpack = [sys.executable, SHARED_DATA / 'unpack.py', 'cifar10-lt100', data]
    subprocess.run(unpack, check=True, stdout=subprocess.DEVNULL)
    out = tmp_path / 'erm.pth'
    done = call('convert_weights', WEIGHTS, out, '--config', CONFIG)
    assert done.code == 0, done.err
    assert torch.load(out)['meta']['class_counts'] == COUNTS
    results = tmp_path / 'results.json'
    options = ['model.head.bias=False', f'test_dataloader.dataset.data_root={data}']
    done = call('test', CONFIG, out, '--out', results, '--cfg-options', *options)
    assert done.code == 0, done.err
    assert json.loads(results.read_text())['metrics']['accuracy/top1'] == pytest.approx(71.95, abs=0.02)
    with open(tmp_path / 'test' / 'per_class.csv') as file:
        found = [float(row['accuracy']) for row in csv.DictReader(file)]
    assert found == pytest.approx(PER_CLASS, abs=0.11)


def test_weights_arrive_unchanged_from_a_wrapped_checkpoint(tmp_path):
    foreign = digits_weights(prefix='module.', head='fc')
    torch.save(dict(epoch=3, arch='resnet8', state_dict=foreign), tmp_path / 'in.pth')
    meta = convert(tmp_path / 'in.pth', tmp_path / 'out.pth', 'configs/ce/resnet8_digitslt.py')
    content = load_checkpoint(tmp_path / 'out.pth')
    assert torch.equal(content['state_dict']['head.bias'], foreign['module.fc.bias'])
    assert torch.equal(content['state_dict']['backbone.layer3.0.conv2.weight'], foreign['module.layer3.0.conv2.weight'])
    assert content['meta'] == meta
    assert meta['class_counts'] == [124, 80, 51, 33, 21, 14, 9, 5, 3, 2]
    assert content['state_dict']['class_counts'].tolist() == meta['class_counts']


def test_weights_without_a_bias_give_a_head_without_one(tmp_path):
    np.savez(tmp_path / 'in.npz', **{name: value.numpy() for name, value in digits_weights(False).items()})
    meta = convert(tmp_path / 'in.npz', tmp_path / 'out.pth', 'configs/ce/resnet8_digitslt.py')
    assert meta['model']['head']['bias'] is False
    assert 'head.bias' not in load_checkpoint(tmp_path / 'out.pth')['state_dict']


def test_counts_without_data_come_from_the_official_labels(tmp_path):
    inner = dict(type='CIFAR10', data_root=str(tmp_path), split='train')
    cfg = dict(type='LongTailedDataset', dataset=inner, profile='exp', imbalance_ratio=100)
    classes, counts = training_classes(cfg)
    assert classes[0] == 'airplane' and counts == COUNTS


def test_a_file_that_could_run_code_is_refused(tmp_path):
    torch.save(dict(state_dict=digits_weights(), run=print), tmp_path / 'in.pth')
    with pytest.raises(UserError, match='could run code'):
        read_weights(tmp_path / 'in.pth')


def test_another_architecture_is_named(tmp_path):
    torch.save(digits_weights(), tmp_path / 'in.pth')
    with pytest.raises(UserError, match='it lacks'):
        convert(tmp_path / 'in.pth', tmp_path / 'out.pth', CONFIG, train_counts=COUNTS)
    assert not (tmp_path / 'out.pth').exists()


def test_weights_without_a_classifier_are_refused():
    with pytest.raises(UserError, match='no classifier'):
        rename(ResNetCIFAR(8).state_dict(), 'in.pth')


def test_a_mistake_is_one_sentence_on_the_command_line(tmp_path):
    done = call('convert_weights', tmp_path / 'absent.npz', tmp_path / 'out.pth', '--config', CONFIG)
    assert done.code == 1
    assert done.err == f'error: there is no file {tmp_path}/absent.npz: check the path.\n'
