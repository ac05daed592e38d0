"""A global batch on any number of ranks, and runs that go on with fewer of them: by command, or by torchrun itself."""

import importlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from commands import ROOT
from mmengine.optim import CosineAnnealingLR, LinearLR, OptimWrapper

from mmlt.engine.checkpoint import load_checkpoint
from mmlt.engine.global_batch import batch_in_words, share_global_batch
from mmlt.engine.other_ranks import find_place, resume_schedules
from mmlt.errors import UserError

CE = 'configs/ce/resnet8_digitslt.py'
linux = pytest.mark.skipif(sys.platform != 'linux', reason='processes follow their parent by prctl')
# Without batch normalisation, whose statistics know how many images a rank takes in one step.
BACKBONE = """
from mmengine.model import BaseModule
from torch import nn
from mmlt.registry import MODELS
@MODELS.register_module()
class NormFree(BaseModule):
    out_channels = 16
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(192, 16), nn.ReLU())
    def forward(self, images):
        return self.layers(images)
"""
CONFIG = f"""
_base_ = [{str(ROOT / CE)!r}]
custom_imports = dict(imports=['norm_free'])
model = dict(backbone=dict(_delete_=True, type='NormFree'))
train_dataloader = dict(global_batch_size=64, batch_size=16)
train_cfg = dict(max_epochs=4)
default_hooks = dict(checkpoint=dict(seconds=0))
param_scheduler = [dict(type='MultiStepLR', milestones=[1, 3], gamma=0.5)]
"""
# A rank is struck where STRIKE says (signal, rank or any, epoch, step), the first time alone; NODE=1: its agent too.
STRUCK = f"""
import os, runpy, signal, sys, time
from mmlt.engine.loops import EpochTrainLoop
step = EpochTrainLoop.run_iter
def struck(loop, batch):
    name, *where = os.environ.get('STRIKE', 'none').split()
    here = [os.environ.get('RANK', '0'), str(loop.epoch), str(loop.step)]
    if where in (here, ['any', *here[1:]]) and not os.path.exists('struck'):
        open('struck', 'w').write(str(time.time()))
        if os.environ.get('NODE'):
            os.kill(os.getppid(), signal.SIGKILL)
        os.kill(os.getpid(), getattr(signal, name))
    step(loop, batch)
EpochTrainLoop.run_iter = struck
sys.argv[0] = {str(ROOT / 'tools/train.py')!r}
runpy.run_path(sys.argv[0], run_name='__main__')
"""


class Table(dict):
    """A config's table."""

    __getattr__, __setattr__ = dict.__getitem__, dict.__setitem__


@pytest.mark.parametrize(
    ('wanted', 'most', 'ranks', 'found'),
    [(256, 64, 1, (64, 4)), (256, 64, 2, (64, 2)), (256, 64, 8, (32, 1)), (96, 40, 1, (32, 3)), (7, 4, 1, (1, 7)),
     (4, 9, 2, (2, 1))],
)
def test_the_global_batch_is_shared(wanted, most, ranks, found):
    cfg = Table(train_dataloader=Table(global_batch_size=wanted, batch_size=most), optim_wrapper=Table())
    share_global_batch(cfg, ranks)
    assert (cfg.train_dataloader.batch_size, cfg.optim_wrapper.accumulative_counts) == found
    assert found[0] * found[1] * ranks == wanted
    assert (batch_in_words(found[0], ranks, found[1]) or '7').startswith(str(wanted))


def test_what_cannot_be_shared_is_refused():
    with pytest.raises(UserError, match='100 cannot be shared evenly by 3 ranks'):
        share_global_batch(Table(train_dataloader=Table(global_batch_size=100, batch_size=8), optim_wrapper=Table()), 3)
    twice = Table(train_dataloader=Table(global_batch_size=100, batch_size=8), optim_wrapper=Table(accumulative_counts=2))
    with pytest.raises(UserError, match='twice'):
        share_global_batch(twice, 1)


def schedules_of(steps: int) -> tuple[OptimWrapper, list]:
    """A warm-up by steps and a cosine by epochs, on a network of one weight."""
    wrapper = OptimWrapper(torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=0.1, momentum=0.9))
    warm = LinearLR(wrapper, start_factor=0.1, begin=0, end=2 * steps, by_epoch=False)
    return wrapper, [warm, CosineAnnealingLR(wrapper, begin=2, T_max=2, end=4, by_epoch=True)]


def run_schedules(schedules: list, epochs: int, steps: int, more: int) -> None:
    for _ in range(epochs):
        for _ in range(steps):
            schedules[0].step()
        schedules[1].step()
    for _ in range(more):
        schedules[0].step()


@pytest.mark.parametrize(('epoch', 'step'), [(0, 4), (1, 0), (1, 10), (3, 2)])
def test_schedules_go_on_as_if_the_ranks_had_always_been_so_many(epoch, step):
    before, old = schedules_of(10)
    run_schedules(old, epoch, 10, step)
    whole, same = schedules_of(20)
    run_schedules(same, epoch, 20, 2 * step)
    here, new = schedules_of(20)
    content = dict(meta=dict(epoch=epoch, step=step, steps_an_update=2))
    find_place(Path('epoch.pth'), content, 4)
    assert content['meta']['step'] == 2 * step
    resume_schedules(new, here, before.state_dict(), content['meta'], 20)
    for _ in range(3):
        assert here.param_groups[0]['lr'] == pytest.approx(whole.param_groups[0]['lr'], rel=1e-12)
        for schedules in (new, same):
            run_schedules(schedules, 1, 20, 0)


def test_a_checkpoint_in_the_midst_of_an_update_is_passed_over():
    with pytest.raises(UserError, match='in the midst of an update of 2 steps, which this run makes in 1'):
        find_place(Path('epoch.pth'), dict(meta=dict(epoch=1, step=3, steps_an_update=2)), 1)


def test_the_learning_rate_follows_the_global_batch_and_says_so(run):
    options = ['train_dataloader.global_batch_size=64', 'train_dataloader.batch_size=16', 'auto_scale_lr.enable=True']
    scaled = 'auto_scale_lr = dict(enable=False, base_batch_size=128)'
    (run.folder / 'config.py').write_text(f'_base_ = [{str(ROOT / CE)!r}]\n{scaled}\n')
    out, _ = run('train.py', 'config.py', '--work-dir', 'run', '--cfg-options', 'train_cfg.max_epochs=1', *options)
    assert 'learning rate 0.1 -> 0.05: 64 images an update, and it counts for 128' in out
    content = load_checkpoint(run.folder / 'run/epoch_1.pth')
    assert content['optimizer']['param_groups'][0]['initial_lr'] == pytest.approx(0.05)


def test_batch_normalisation_over_ranks_is_refused_without_gpus(run, monkeypatch):
    monkeypatch.setattr(importlib.import_module('mmlt.apis.train'), 'get_world_size', lambda: 2)
    _, err = run('train.py', CE, '--work-dir', 'run', '--cfg-options', 'sync_bn=torch', code=1)
    assert err.startswith('error: sync_bn needs GPUs')
    _, err = run('train.py', CE, '--work-dir', 'run', '--cfg-options', 'sync_bn=mmcv', code=1)
    assert "sync_bn must be 'torch'" in err


@pytest.fixture
def norm_free(tmp_path):
    """The folder of a config whose training does not know how an update's images are shared."""
    (tmp_path / 'norm_free.py').write_text(BACKBONE)
    (tmp_path / 'config.py').write_text(CONFIG)
    (tmp_path / 'struck.py').write_text(STRUCK)
    return tmp_path


def weights(path: Path) -> dict[str, torch.Tensor]:
    return load_checkpoint(path)['state_dict']


def assert_close(one: Path, other: Path) -> None:
    one, other = weights(one), weights(other)
    assert one.keys() == other.keys()
    for name, value in one.items():
        torch.testing.assert_close(value, other[name], rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_one_rank_goes_on_where_two_were_stopped_and_gives_what_one_gives(run, norm_free):
    out, _ = run('train.py', 'config.py', '--work-dir', 'one')
    assert '64 images an update (16 a step x 4 steps)' in out
    where = dict(PYTHONPATH=os.pathsep.join([str(norm_free), str(ROOT)]))
    done = run.ranks(norm_free / 'struck.py', 'config.py', '--work-dir', 'two', STRIKE='SIGTERM 1 2 3', **where)
    assert [rank.code for rank in done] == [143, 143] and '(16 a step x 2 ranks x 2 steps)' in done[0].out, done
    assert not (norm_free / 'two/epoch_4.pth').exists()
    newest = load_checkpoint(max((norm_free / 'two').glob('epoch_*.pth'), key=lambda path: path.stat().st_mtime))['meta']
    out, _ = run('train.py', 'config.py', '--work-dir', 'two', '--resume')
    assert f'resumed after epoch {newest["epoch"]}' in out and newest['steps_an_update'] == 2
    assert_close(norm_free / 'one/epoch_4.pth', norm_free / 'two/epoch_4.pth')
    one, two = (load_checkpoint(norm_free / name / 'epoch_4.pth') for name in ('one', 'two'))
    assert one['meta']['config_hash'] == two['meta']['config_hash']
    assert one['optimizer']['param_groups'][0]['lr'] == pytest.approx(two['optimizer']['param_groups'][0]['lr'], rel=1e-6)


def agent(folder: Path, *args: str, **env: str) -> subprocess.Popen:
    """One machine of a run: tools/dist_common.sh with a process of ours."""
    command = f'source {ROOT}/tools/dist_common.sh; launch "$@"'
    env = {**os.environ, 'OMP_NUM_THREADS': '1', 'PYTHONPATH': os.pathsep.join([str(folder), str(ROOT)]), **env}
    return subprocess.Popen(
        ['bash', '-c', command, 'bash', str(folder / 'struck.py'), 'config.py', '--launcher', 'pytorch', *args], cwd=folder,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env,
    )  # fmt: skip


def free_port() -> str:
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        return str(free.getsockname()[1])


@pytest.mark.slow
def test_torchrun_starts_anew_and_the_run_goes_on_by_itself(run, norm_free):
    process = agent(norm_free, '--work-dir', 'anew', GPUS='2', MAX_RESTARTS='1', STRIKE='SIGKILL 1 2 3')
    out, err = process.communicate(timeout=600)
    assert process.returncode == 0, out + err
    assert 'resumed after epoch 2' in out and (norm_free / 'struck').exists()
    run('train.py', 'config.py', '--work-dir', 'one')
    assert_close(norm_free / 'one/epoch_4.pth', norm_free / 'anew/epoch_4.pth')


@linux
@pytest.mark.slow
def test_a_killed_machine_ends_the_run_on_the_others_within_a_minute(norm_free):
    common = dict(NNODES='2', GPUS='1', PORT=free_port(), STRIKE='SIGKILL 1 1 2', NODE='1')
    machines = [agent(norm_free, '--work-dir', 'killed', NODE_RANK=str(rank), **common) for rank in range(2)]
    out, err = machines[0].communicate(timeout=600)
    assert time.time() - float((norm_free / 'struck').read_text()) < 60
    assert machines[0].returncode == 1, out + err
    assert 'another process of this run ended' in err and 'Traceback' not in err, err
    machines[1].communicate(timeout=60)
    assert machines[1].returncode == -signal.SIGKILL
    assert (norm_free / 'killed/epoch_1.pth').is_file()


@linux
@pytest.mark.slow
def test_the_machines_that_are_left_go_on(norm_free):
    port = free_port()
    common = dict(NNODES='1:2', GPUS='1', PORT=port, MAX_RESTARTS='3')
    machines = [agent(norm_free, '--work-dir', 'left', **common)]
    while socket.socket().connect_ex(('127.0.0.1', int(port))):  # the first one is where they meet
        time.sleep(0.1)
    machines.append(agent(norm_free, '--work-dir', 'left', STRIKE='SIGKILL any 1 2', NODE='1', **common))
    ended = [machine.communicate(timeout=600) for machine in machines]
    assert [machine.returncode for machine in machines] == [0, -signal.SIGKILL], ended
    assert '(16 a step x 2 ranks x 2 steps)' in ended[0][0] + ended[1][0]
    assert '(16 a step x 4 steps)' in ended[0][0] + ended[1][0]
    assert load_checkpoint(norm_free / 'left/epoch_4.pth')['meta']['epoch'] == 4
