"""Tuned transformers by the shipped config: trained, resumed, evaluated by crops; heads that start from somewhere."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from mmlt.apis.train import build_runner
from mmlt.batch import Batch
from mmlt.datasets import Digits, LongTailedDataset
from mmlt.engine.checkpoint import load_checkpoint
from mmlt.engine.finished import load_classifier
from mmlt.engine.stages import Stage

pytestmark = pytest.mark.slow
CONFIG = 'foundation/vit_tiny_digitslt.py'
FAST = {'train_cfg.max_epochs': 3, 'optim_wrapper.optimizer.lr': 0.01}
STILL = {'train_cfg.max_epochs': 1, 'optim_wrapper.optimizer.lr': 0.0}


def run_of(call, options: dict, folder: str = 'run', resume: bool = False):
    more = ['--resume'] if resume else []
    pairs = (f'{name}={value}' for name, value in {**FAST, **options}.items())
    return call('train', CONFIG, '--work-dir', folder, *more, '--cfg-options', *pairs)


def test_adapters_on_random_weights_learn_the_digits_and_the_trunk_stays(call):
    done = run_of(call, {'train_cfg.max_epochs': 12, 'train_dataloader.dataset.imbalance_ratio': 2})
    assert done.code == 0, done.err
    assert 'class means of' in done.out
    record = json.loads(Path('run/results.json').read_text())
    state = load_checkpoint('run/epoch_12.pth')['state_dict']
    stage = Stage(CONFIG, overrides={'train_dataloader.dataset.imbalance_ratio': 2}, work_dir=Path('fresh'))
    fresh = build_runner(stage).bare_model
    trunk = fresh.backbone.trunk()
    trained = load_classifier('run/epoch_12.pth')
    assert all(torch.equal(value, trunk[name]) for name, value in trained.backbone.trunk().items()), 'to the byte'
    assert any('.adapter.up.weight' in name and value.any() for name, value in state.items())
    means = run_of(call, {**STILL, 'train_dataloader.dataset.imbalance_ratio': 2}, folder='start')
    assert means.code == 0
    before = json.loads(Path('start/results.json').read_text())['last']['metrics']['accuracy/top1']
    losses = [line['loss'] for line in map(json.loads, Path('run/scalars.jsonl').read_text().splitlines()) if 'loss' in line]
    assert losses[-1] < 0.8 * losses[0]
    assert min(record['last']['metrics']['accuracy/top1'], before) > 20, 'guessing is 10, and the trunk knows nothing'

    tested = call('test', CONFIG, 'run/epoch_12.pth', '--out', 'out.json')
    assert tested.code == 0, tested.err
    found = json.loads(Path('out.json').read_text())['metrics']['accuracy/top1']
    assert found == pytest.approx(record['last']['metrics']['accuracy/top1'], abs=0.21)


def test_the_head_starts_from_class_means(call):
    assert run_of(call, STILL).code == 0
    model = load_classifier('run/epoch_1.pth').eval()
    images, labels = LongTailedDataset(Digits('train'), imbalance_ratio=50).tensors()
    places = torch.arange(len(labels))
    with torch.inference_mode():
        ready = model.data_preprocessor(Batch(images, labels, places, places), False).images
        features = model.outputs(ready).features.double().numpy()
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    means = np.stack([features[labels.numpy() == c].mean(0) for c in range(10)])
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    np.testing.assert_allclose(model.head.weight.detach().numpy(), means, atol=1e-5)


def test_the_head_starts_from_a_file_whose_content_is_part_of_the_run(call):
    vectors = np.random.default_rng(0).normal(size=(10, 64)).astype(np.float32)
    np.save('text.npy', vectors)
    options = {**STILL, 'custom_hooks.0.features_file': 'text.npy'}
    assert run_of(call, options).code == 0
    content = load_checkpoint('run/epoch_1.pth')
    expected = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    np.testing.assert_allclose(content['state_dict']['head.weight'].numpy(), expected, atol=1e-6)
    assert len(content['meta']['outcome']['weights']) == 1
    np.save('text.npy', vectors[:, :5])
    done = run_of(call, options, folder='other')
    assert done.code == 1 and 'text.npy: (10, 5) vectors, the head needs (10, 64)' in done.err + done.out


def test_a_run_goes_on_to_the_same_weights(call):
    every = {'default_hooks.checkpoint.seconds': 0}
    assert run_of(call, every).code == 0
    Path('killed').mkdir()
    shutil.copy('run/epoch_2.pth', 'killed')
    done = run_of(call, every, folder='killed', resume=True)
    assert done.code == 0 and 'resumed after epoch 2' in done.out and 'class means' not in done.out
    one, other = (load_checkpoint(f'{name}/epoch_3.pth')['state_dict'] for name in ('run', 'killed'))
    assert all(torch.equal(other[name], value) for name, value in one.items())
