"""Breadcrumb on the digits: killed, or stopped in the midst of an epoch, it goes on to the same weights and trails."""

import os
import signal
from pathlib import Path

import pytest
import torch

from mmlt.apis.train import train
from mmlt.config.find import config_roots
from mmlt.engine.loops import EpochTrainLoop

pytestmark = pytest.mark.slow
CONFIG = (
    f"_base_ = ['{config_roots()[0]}/breadcrumb/resnet8_digitslt.py']\n"
    'train_dataloader = dict(dataset=dict(imbalance_ratio=8))\n'  # 123 to 15 images a class: four epochs back
    'train_cfg = dict(max_epochs=7)\n'
    'default_hooks = dict(checkpoint=dict(seconds=0))\n'
)


@pytest.fixture(scope='module')
def unbroken(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp('unbroken')
    (folder / 'run.py').write_text(CONFIG)
    before = Path.cwd()
    os.chdir(folder)
    try:
        train('run.py')
    finally:
        os.chdir(before)
    return folder / 'work_dirs/run/seed0'


def stop(number: int, at: int) -> int:
    """Train in a process of its own that gets a signal after step `at`; how it ended."""
    child = os.fork()
    if child == 0:
        step = EpochTrainLoop.run_iter

        def signalled(loop, batch):
            step(loop, batch)
            if loop.iter == at:
                os.kill(os.getpid(), number)

        EpochTrainLoop.run_iter = signalled
        code = 1
        try:
            train('run.py', resume=True)
        except SystemExit as error:
            code = error.code
        finally:
            os._exit(code)
    return os.waitpid(child, 0)[1]


def leaves(value, path=''):
    if isinstance(value, (dict, list)):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(item, f'{path}.{key}')
    else:
        yield path, value


def test_killed_and_stopped_it_ends_like_the_unbroken_run(unbroken, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'run.py').write_text(CONFIG)
    steps = -(-len(torch.load(unbroken / 'epoch_7.pth')['terms']['1']['labels']) // 64)
    # In the midst of the second epoch (class-aware images), of the sixth (trails), and killed in the seventh.
    for number, at in ((signal.SIGTERM, steps + 3), (signal.SIGTERM, 5 * steps + 2), (signal.SIGKILL, 6 * steps + 2)):
        status = stop(number, at)
        killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == number
        assert killed if number == signal.SIGKILL else os.WEXITSTATUS(status) == 128 + number, (at, status)
        if number == signal.SIGTERM:
            # the signal comes between two steps, and the next one is finished
            assert (tmp_path / f'work_dirs/run/seed0/epoch_{at // steps}_step_{at % steps + 1}.pth').is_file()
    train('run.py', resume=True)
    one, other = (torch.load(folder / 'epoch_7.pth') for folder in (unbroken, tmp_path / 'work_dirs/run/seed0'))
    for part in ('state_dict', 'terms', 'optimizer'):
        ours, theirs = dict(leaves(one[part])), dict(leaves(other[part]))
        assert ours.keys() == theirs.keys()
        for name, value in ours.items():
            same = torch.equal(value, theirs[name]) if isinstance(value, torch.Tensor) else value == theirs[name]
            assert same, (part, name)
    kept = one['terms']['1']
    assert kept['trails']['features'].dtype == torch.float16 and len(kept['trails']['sizes']) > 10
    assert 'terms' not in torch.load(unbroken / 'best.pth')


def test_the_size_is_said_before_the_run(unbroken):
    log = (unbroken / 'train.log').read_text()
    assert 'trails of features: ' in log and '4 epochs back at most' in log and 'MiB of host memory' in log
    assert log.index('trails of features') < log.index('epoch 1/7')


def test_trails_of_another_run_are_refused(unbroken, tmp_path):
    from mmlt.engine.fitting import _terms
    from mmlt.registry import MODELS

    plain = MODELS.build(
        dict(
            type='LongTailedClassifier',
            backbone=dict(type='ResNetCIFAR', depth=8),
            head=dict(type='LinearHead', num_classes=10),
        )
    )
    assert 'has the state of the terms' in _terms(plain, torch.load(unbroken / 'epoch_7.pth'))
