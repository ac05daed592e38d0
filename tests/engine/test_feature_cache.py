"""Heads on cached features: what training through the frozen backbone gives, from files that outlive a kill."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from mmlt.apis.train import train
from mmlt.config.find import config_roots
from mmlt.datasets import Digits, LongTailedDataset
from mmlt.datasets.features import CachedFeatures, FeatureStore
from mmlt.engine import feature_cache
from mmlt.engine.checkpoint import load_checkpoint
from mmlt.engine.feature_cache import check_model, describe
from mmlt.engine.finished import load_classifier
from mmlt.errors import UserError
from mmlt.registry import MODELS

ROOT = config_roots()[0]
FIRST = """_base_ = ['{root}/ce/resnet8_digitslt.py']
train_cfg = dict(max_epochs=2)
"""
PLAIN = """_base_ = ['{root}/{method}/resnet8_digitslt.py']
prerequisites = dict(backbone=dict(config='first.py'))
train_cfg = dict(max_epochs=3)
data_preprocessor = dict(train_transforms=[])
"""
CACHED = "_base_ = ['{name}.py']\ncustom_hooks = [dict(type='FeatureCacheHook'{more})]\n"


def write(folder: Path) -> None:
    (folder / 'first.py').write_text(FIRST.format(root=ROOT))
    for method in ('crt', 'lws'):
        (folder / f'{method}.py').write_text(PLAIN.format(root=ROOT, method=method))
        (folder / f'{method}_cached.py').write_text(CACHED.format(name=method, more=''))
    (folder / 'flipped.py').write_text(CACHED.format(name='crt', more=', flip=True'))


@pytest.fixture
def runs(once, monkeypatch, tmp_path) -> Path:
    """A folder with finished runs: cRT through the backbone and from its features."""

    def make(folder: Path) -> None:
        monkeypatch.chdir(folder)
        write(folder)
        train('crt.py')
        train('crt_cached.py')

    folder = once('feature_cache', make)
    monkeypatch.chdir(folder)
    return folder


def results(folder: Path, name: str) -> dict:
    return json.loads((folder / f'work_dirs/{name}/seed0/results.json').read_text())


def weights(folder: Path, name: str) -> dict:
    return load_checkpoint(folder / f'work_dirs/{name}/seed0/epoch_3.pth')['state_dict']


def test_training_on_features_is_training_through_the_backbone(runs):
    through, cached = weights(runs, 'crt'), weights(runs, 'crt_cached')
    assert through.keys() == cached.keys(), 'the checkpoint holds backbone and head'
    for name, value in through.items():
        torch.testing.assert_close(cached[name], value, rtol=1e-4, atol=1e-5)
    one, other = results(runs, 'crt'), results(runs, 'crt_cached')
    assert other['last']['metrics'] == pytest.approx(one['last']['metrics'], abs=0.21)  # one image of 500 on the brink
    assert other['config_hash'] != one['config_hash'] and other['data'] == one['data']


def test_the_files_hold_what_the_backbone_gives(runs):
    model = load_classifier(runs / 'work_dirs/crt/seed0/epoch_3.pth').eval()
    data = LongTailedDataset(Digits('train'), imbalance_ratio=50)
    images, _ = data.tensors()
    with torch.inference_mode():
        features = model.features((images.float() / 255 - 0.305) / 0.376)[0]
    # Other tests may have added features of the same images: in another order, mirrored too, by another network.
    alike = [path for path in (runs / 'work_dirs/features').iterdir()
             if np.load(path / 'part_00000.npy').shape == (len(data), 64)
             and torch.allclose(FeatureStore(path, len(data), (64,)).read(), features, rtol=1e-4, atol=1e-5)]  # fmt: skip
    assert len(alike) == 1
    said = json.loads((alike[0] / 'features.json').read_text())
    assert said['images']['num_images'] == 342 and said['precision'] == 'fp32'


def test_the_checkpoint_is_evaluated_from_images_and_from_features_alike(runs, call, monkeypatch):
    monkeypatch.chdir(runs)
    checkpoint = 'work_dirs/crt_cached/seed0/epoch_3.pth'
    found = {}
    for config in ('crt', 'crt_cached'):
        for more in ([], ['--adjust', 'ncm']):
            done = call('test', f'{config}.py', checkpoint, '--out', runs / 'out.json', *more, '--work-dir', runs / 'tested')
            assert done.code == 0, done.err
            assert ('features of the test set: 500 images, from' in done.out) == (config == 'crt_cached')
            found[config, *more] = json.loads((runs / 'out.json').read_text())['metrics']
    for more in ([], ['--adjust', 'ncm']):
        assert found['crt_cached', *more]['accuracy/top1'] == pytest.approx(found['crt', *more]['accuracy/top1'], abs=0.21)
    assert found['crt', '--adjust', 'ncm'] != found['crt',]


def test_a_second_method_uses_the_same_files_and_flipping_others(runs, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(runs)
    before = {path: path.stat().st_mtime_ns for path in (runs / 'work_dirs/features').rglob('*.npy')}
    train('lws_cached.py', work_dir=tmp_path / 'lws')
    said = capsys.readouterr().out
    assert said.count('images, from work_dirs/features/') == 2 and 'once' not in said
    assert {path: path.stat().st_mtime_ns for path in before} == before
    train('flipped.py', work_dir=tmp_path / 'flipped')
    assert 'features of the training set: 342 images through the frozen backbone, once' in capsys.readouterr().out
    model = load_classifier(tmp_path / 'flipped/epoch_3.pth').eval()
    two = [np.load(path) for path in (runs / 'work_dirs/features').rglob('*.npy') if np.load(path).ndim == 3]
    images = LongTailedDataset(Digits('train'), imbalance_ratio=50).tensors()[0].flip(3)
    with torch.inference_mode():
        mirrored = model.features((images.float() / 255 - 0.305) / 0.376)[0]
    torch.testing.assert_close(torch.from_numpy(two[0][:, 1]), mirrored, rtol=1e-4, atol=1e-5)


def test_only_what_is_missing_or_damaged_is_computed_again(runs, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(runs)
    monkeypatch.setattr('mmlt.datasets.features.PART', 100)
    monkeypatch.setattr(feature_cache, 'PART', 100)
    cache = {'custom_hooks.0.cache_root': str(tmp_path / 'cache')}
    train('crt_cached.py', work_dir=tmp_path / 'a', overrides=cache)
    folder = next(path.parent for path in (tmp_path / 'cache').rglob('part_00003.npy') if len(np.load(path)) == 42)
    whole = FeatureStore(folder, 342, (64,)).read()
    times = {path.name: path.stat().st_mtime_ns for path in folder.glob('*.npy')}
    (folder / 'part_00001.npy').write_bytes((folder / 'part_00001.npy').read_bytes()[:1000])
    (folder / 'part_00003.npy').unlink()
    capsys.readouterr()
    train('crt_cached.py', work_dir=tmp_path / 'b', overrides=cache)
    assert '142 images in' in capsys.readouterr().out
    assert torch.equal(FeatureStore(folder, 342, (64,)).read(), whole)
    again = {path.name for path in folder.glob('*.npy') if path.stat().st_mtime_ns != times[path.name]}
    assert again == {'part_00001.npy', 'part_00003.npy'}


def test_two_processes_share_the_work_and_train_alike(runs, run, tmp_path):
    args = [runs / 'crt_cached.py', '--work-dir', tmp_path / 'two', '--cfg-options', 'train_dataloader.batch_size=32',
            f'prerequisites.backbone.checkpoint={runs}/work_dirs/first/seed0/epoch_2.pth']  # fmt: skip
    first, second = run.ranks('train.py', *args)
    assert first.code == 0 == second.code, (first, second)
    assert 'through the frozen backbone, once' in first.out
    found = load_checkpoint(tmp_path / 'two/epoch_3.pth')['state_dict']
    for name, value in weights(runs, 'crt_cached').items():
        torch.testing.assert_close(found[name], value, rtol=1e-4, atol=1e-5)


def frozen(**more) -> torch.nn.Module:
    torch.manual_seed(0)
    settings = dict(type='FrozenBackboneClassifier', backbone=dict(type='ResNetCIFAR', depth=8))
    settings |= dict(head=dict(type='LinearHead', num_classes=10), data_preprocessor=dict(
        type='BatchPreprocessor', mean=[0.5] * 3, std=[0.25] * 3))  # fmt: skip
    return MODELS.build({**settings, **more})


@pytest.mark.parametrize(
    ('more', 'words'),
    [
        (dict(type='LongTailedClassifier'), 'that of LongTailedClassifier is trained'),
        (dict(shift_bn=True), 'shift_bn'),
        (dict(mixing=dict(type='Mixup')), 'mixes images'),
    ],
)
def test_what_needs_images_is_refused(more, words):
    with pytest.raises(UserError, match=words):
        check_model(frozen(**more))


def test_the_key_changes_with_all_that_changes_features():
    data = Digits('test')
    key = describe(data, frozen(), 'fp32', False)
    assert describe(data, frozen(), 'fp32', False) == key
    other = frozen()
    with torch.no_grad():
        other.backbone.conv1.weight[0, 0, 0, 0] += 1e-6
    assert describe(data, other, 'fp32', False) != key
    shifted = dict(type='BatchPreprocessor', mean=[0.4] * 3, std=[0.25] * 3)
    assert describe(data, frozen(data_preprocessor=shifted), 'fp32', False) != key
    resized = {**shifted, 'mean': [0.5] * 3, 'test_transforms': [dict(type='Resize', size=16)]}
    assert describe(data, frozen(data_preprocessor=resized), 'fp32', False) != key
    assert describe(data, frozen(), 'bf16', False) != key
    assert describe(Digits('train'), frozen(), 'fp32', False) != key


def test_cached_features_are_the_set_they_stand_for():
    data = LongTailedDataset(Digits('train'), imbalance_ratio=50)
    cached = CachedFeatures(data, torch.rand(len(data), 7))
    assert cached.metainfo == data.metainfo and cached.fingerprint() == data.fingerprint() and cached.resident
    features, labels = cached.tensors()
    assert features.shape == (342, 7) and np.array_equal(labels.numpy(), data.labels)
    assert torch.equal(cached[5][0], data[5][0]), 'a report shows the picture'
