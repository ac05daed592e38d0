"""tools/export_subset.py: training on the file is training on the original."""

import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from commands import call

from mmlt.datasets import CIFAR10, LongTailedDataset
from mmlt.errors import UserError

TOOL = Path(__file__).resolve().parents[2] / 'tools' / 'export_subset.py'


def run(*arguments):
    return call(TOOL, *arguments)


@pytest.fixture(scope='module')
def source(tmp_path_factory):
    """300 noise images under CIFAR-10's name."""
    folder = tmp_path_factory.mktemp('whole')
    generator = np.random.RandomState(0)
    np.savez(folder / 'train.npz', images=generator.randint(0, 256, (300, 32, 32, 3)).astype(np.uint8),
             labels=generator.permutation(np.repeat(np.arange(10), 30)))
    return folder


@pytest.fixture(scope='module')
def exported(source, tmp_path_factory):
    out = tmp_path_factory.mktemp('lt') / 'deep' / 'train.npz'
    done = run('--dataset', 'cifar10', '--data-root', source, '--imbalance-ratio', 10, out)
    assert done.code == 0, done.err
    assert '30 to 3 a class' in done.out
    return out


def test_training_on_the_file_is_training_on_the_original(source, exported):
    original = LongTailedDataset(CIFAR10(source), imbalance_ratio=10)
    for root in (exported, exported.parent):
        copy = LongTailedDataset(CIFAR10(root, download=False), imbalance_ratio=10)
        assert copy.fingerprint() == original.fingerprint()
        assert copy.metainfo == original.metainfo
        assert all(torch.equal(one, two) for one, two in zip(copy.tensors(), original.tensors(), strict=True))


def test_the_file_is_plain_arrays(exported):
    with np.load(exported, allow_pickle=False) as file:
        kinds = {name: file[name].dtype.kind for name in file.files}
    assert kinds == dict(images='u', labels='i', index='i', subset='U')


def test_changed_pixels_or_places_are_noticed(exported, tmp_path):
    with np.load(exported) as file:
        arrays = dict(file)
    pixels = arrays['images'].copy()
    pixels[7, 0, 0, 0] ^= 1
    np.savez(tmp_path / 'pixels.npz', **{**arrays, 'images': pixels})
    with pytest.raises(UserError, match='not those of its own fingerprint'):
        LongTailedDataset(CIFAR10(tmp_path / 'pixels.npz'), imbalance_ratio=10).tensors()
    np.savez(tmp_path / 'places.npz', **{**arrays, 'index': np.sort(arrays['index'])})
    with pytest.raises(UserError, match='not that of its own fingerprint'):
        CIFAR10(tmp_path / 'places.npz')


def test_mistakes_end_in_one_sentence(source, tmp_path, monkeypatch):
    done = run('--dataset', 'cifar10', '--data-root', source, '--imbalance-ratio', 1000, tmp_path / 'a.npz')
    assert done.code == 1
    assert done.err.startswith('error: ') and 'no training image' in done.err and done.err.count('\n') == 1
    tool = runpy.run_path(str(TOOL))
    mistakes = ((source, 'a.txt', 'must end in .npz'), (tmp_path / 'none.npz', 'a.npz', 'there is no file'))
    for root, out, part in mistakes:
        monkeypatch.setattr(sys, 'argv', ['', '--dataset', 'cifar10', '--data-root', str(root), str(tmp_path / out)])
        with pytest.raises(UserError, match=part):
            tool['export'](tool['parse_args']())
    assert not list(tmp_path.iterdir())


def test_help_answers_at_once():
    tool = str(Path(__file__).resolve().parents[2] / 'tools' / 'export_subset.py')
    done = subprocess.run([sys.executable, '-X', 'importtime', tool, '--help'], capture_output=True, text=True)
    assert done.returncode == 0 and '--imbalance-ratio' in done.stdout
    assert '| torch\n' not in done.stderr and '| numpy\n' not in done.stderr, 'heavy imports wait for the arguments'
