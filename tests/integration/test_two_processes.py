"""Two processes on the CPU: what one process gives, and what happens when one of them dies."""

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
import torch
from commands import ROOT, hear_signals

from mmlt.engine.checkpoint import load_checkpoint, save_checkpoint

pytestmark = pytest.mark.slow
CE = 'configs/ce/resnet8_digitslt.py'
WORKER = """
import os, sys
import torch
from torch import nn
from mmengine.dist import get_rank, get_world_size
from mmlt.engine.stages import Stage
from mmlt.apis.train import build_runner
from mmlt.engine import loops
from mmlt.engine.device import start_processes
from mmlt.registry import MODELS
from mmengine.model import BaseModule

@MODELS.register_module()
class NormFree(BaseModule):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 64, 3)
    def forward(self, images):
        return self.conv(images).relu()

launcher = 'pytorch' if 'RANK' in os.environ else 'none'
start_processes(launcher)
stage = Stage({config!r}, 0, {{'train_cfg.max_epochs': 1, 'train_dataloader.batch_size': 32 // get_world_size()}})
stage.cfg.model.backbone = dict(type='NormFree')
stage.work_dir = stage.work_root / 'gradient'
os.makedirs(stage.work_dir, exist_ok=True)
runner = build_runner(stage, launcher=launcher)

def first_step(loop, batch):
    loss = runner.model(**runner.bare_model.data_preprocessor(batch, True)._asdict(), mode='loss')['loss_cls']
    loss.backward()
    if get_rank() == 0:
        torch.save([p.grad for p in runner.bare_model.parameters()], sys.argv[-1])
    raise SystemExit

loops.EpochTrainLoop.run_iter = first_step
runner.train()
"""
# Each rank shows the weights that it ends with, and is struck by a signal where STRIKE says: signal, rank, epoch and step.
LOOKER = """
import os, signal, time
import torch
from mmlt.engine.loops import EpochTrainLoop
whole, step = EpochTrainLoop.run, EpochTrainLoop.run_iter
def run(loop):
    whole(loop)
    torch.save(loop.runner.bare_model.state_dict(), f'weights{os.environ["RANK"]}.pth')
    open('wrapper', 'w').write(f'{loop.runner.model.broadcast_buffers} {loop.runner.model.find_unused_parameters}')
def struck(loop, batch):
    if os.environ.get('STRIKE', '').split()[1:] == [os.environ['RANK'], str(loop.epoch), str(loop.step)]:
        open('struck', 'w').write(str(time.time()))
        os.kill(os.getpid(), getattr(signal, os.environ['STRIKE'].split()[0]))
    step(loop, batch)
EpochTrainLoop.run, EpochTrainLoop.run_iter = run, struck
"""
OPTIONS = ['--cfg-options', 'train_cfg.max_epochs=4', 'default_hooks.checkpoint.seconds=0']


def two(folder: Path, script: Path, *args: str, **env: str) -> subprocess.CompletedProcess:
    """Two processes by torchrun, as tools/dist_common.sh starts them."""
    command = f'GPUS=2; source {ROOT}/tools/dist_common.sh; launch "$@"'
    return subprocess.run(['bash', '-c', command, 'bash', str(script), *args], cwd=folder, capture_output=True, text=True,
                          timeout=300, env={**os.environ, 'OMP_NUM_THREADS': '1', **env})  # fmt: skip


def test_training_by_the_script_and_an_evaluation_equal_to_one_process(run):
    env = {**os.environ, 'OMP_NUM_THREADS': '1'}
    options = ['--cfg-options', 'train_cfg.max_epochs=3', '--work-dir', 'run']
    done = subprocess.run(['bash', str(ROOT / 'tools/dist_train.sh'), CE, '2', *options], cwd=run.folder, env=env,
                          capture_output=True, text=True, timeout=300)  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads((run.folder / 'run/results.json').read_text())['world_size'] == 2
    # An uneven test set: 50 + 38 + ... images in batches that do not divide it.
    (run.folder / 'uneven.py').write_text(
        f"_base_ = ['{ROOT / CE}']\n"
        "test_dataloader = dict(batch_size=16, dataset=dict(_delete_=True, type='LongTailedDataset', imbalance_ratio=11, "
        "dataset=dict(type='Digits', split='test')))\n"
    )
    test = ['bash', str(ROOT / 'tools/dist_test.sh'), 'uneven.py', 'run/epoch_3.pth', '2', '--out', 'two.json']
    done = subprocess.run(test, cwd=run.folder, env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    run('test.py', 'uneven.py', 'run/epoch_3.pth', '--out', 'one.json')
    one, both = (json.loads((run.folder / f'{name}.json').read_text()) for name in ('one', 'two'))
    assert one['test_data']['num_images'] % 2 == 1, 'the set was meant to be uneven'
    assert (one['world_size'], both['world_size']) == (1, 2)
    assert one['metrics'] == both['metrics'] and one['per_class'] == both['per_class']


def test_the_gradient_of_a_step_equals_that_of_one_process(run):
    script = run.folder / 'worker.py'
    script.write_text(WORKER.format(config=CE))
    done = run.ranks(script, 'two.pth')
    assert (run.folder / 'two.pth').exists(), done
    done = run.start(script, 'one.pth').done()
    assert done.code == 0, done
    one, both = (torch.load(run.folder / f'{name}.pth') for name in ('one', 'two'))
    assert any(gradient.abs().max() > 1e-3 for gradient in one)
    for a, b in zip(one, both, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ('rank', 'epoch', 'options'),
    # An epoch has 3 steps: with 2 an update, each rank's gradients of the third are added up across its end.
    [(1, 2, []), (0, 1, ['optim_wrapper.accumulative_counts=2'])],
)
def test_ranks_end_with_equal_weights_and_a_dead_rank_ends_the_other(run, rank, epoch, options):
    script, options = run.folder / 'looker.py', [*OPTIONS, *options]
    done = run.ranks('train.py', '--work-dir', 'whole', CE, *options, first=LOOKER)
    assert [one.code for one in done] == [0, 0], done
    first, second = (torch.load(run.folder / f'weights{rank}.pth') for rank in range(2))
    assert first.keys() == second.keys() and any('running_mean' in name for name in first)
    assert all(torch.equal(value, second[name]) for name, value in first.items())

    script.write_text(f"{LOOKER}\nimport runpy\nrunpy.run_path('{ROOT}/tools/train.py', run_name='__main__')\n")
    dying = ['--launcher', 'pytorch', '--work-dir', 'dying', CE, *options]
    done = two(run.folder, script, *dying, STRIKE=f'SIGKILL {rank} {epoch} 0')
    assert time.time() - float((run.folder / 'struck').read_text()) < 60  # what is promised
    assert done.returncode == 1 and 'Traceback' not in done.stderr, done.stderr
    assert f'error: process {rank} of this run was ended by SIGKILL' in done.stderr
    assert (run.folder / f'dying/epoch_{epoch}.pth').is_file()
    done = run.ranks('train.py', '--work-dir', 'dying', '--resume', CE, *options)
    assert [one.code for one in done] == [0, 0] and f'resumed after epoch {epoch}' in done[0].out, done
    whole, died = (torch.load(run.folder / name / 'epoch_4.pth') for name in ('whole', 'dying'))
    assert whole['sha256'] == died['sha256']


@pytest.mark.parametrize('of_statistics', [False, True])
def test_the_checkpoint_of_an_average_is_the_model_that_was_evaluated(run, of_statistics):
    hook = dict(type='EMAHook', momentum=0.2, update_buffers=of_statistics)
    (run.folder / 'ema.py').write_text(f"_base_ = ['{ROOT / CE}']\ncustom_hooks = [{hook}]\n")
    done = run.ranks('train.py', 'ema.py', '--work-dir', 'run', '--cfg-options', 'train_cfg.max_epochs=1')
    assert [rank.code for rank in done] == [0, 0], done
    run('test.py', 'ema.py', 'run/epoch_1.pth', '--out', 'again.json')
    trained, tested = (json.loads((run.folder / name).read_text()) for name in ('run/results.json', 'again.json'))
    assert trained['last']['metrics'] == tested['metrics']


def test_ranks_that_see_other_folders_do_not_resume(run, tmp_path):
    options = ['--cfg-options', 'train_cfg.max_epochs=2', 'default_hooks.checkpoint.seconds=0']
    options += ['train_dataloader.global_batch_size=64', 'train_dataloader.batch_size=32']  # one run by one rank or by two
    run('train.py', CE, '--work-dir', 'first/run', *options)
    (tmp_path / 'first/run/results.json').unlink()
    (tmp_path / 'first/run/epoch_2.pth').unlink()
    shutil.copytree(tmp_path / 'first', tmp_path / 'altered')
    (tmp_path / 'empty').mkdir()
    altered = tmp_path / 'altered/run/epoch_1.pth'
    content = load_checkpoint(altered)
    content['state_dict']['head.bias'] += 1
    save_checkpoint(altered, content)
    arguments = [CE, '--work-dir', 'run', '--resume', *options]
    for folders, words in (
        (['first', 'empty'], 'goes on from {}/first/run/epoch_1.pth, but process 1 has no {}/empty/run/epoch_1.pth'),
        (['first', 'altered'], 'goes on from {}/first/run/epoch_1.pth, but process 1 has another one of that name'),
        (['empty', 'first'], 'finds no checkpoint in {}/empty/run, but process 1 has {}/first/run/epoch_1.pth'),
    ):
        done = run.ranks('train.py', *arguments, folders=[tmp_path / name for name in folders])
        for rank in done:
            assert rank.code == 1 and f'error: cannot resume: process 0 {words.format(tmp_path, tmp_path)}' in rank.err, done
            assert 'all processes must see the same folder' in rank.err and 'Traceback' not in rank.err


def test_stopped_in_the_midst_of_an_epoch_each_rank_goes_on_with_its_own(run):
    # 22 steps an epoch, and the ranks ask each other about signals after 16 of them, which is between two updates.
    options = [*OPTIONS, 'train_dataloader.batch_size=8', 'optim_wrapper.accumulative_counts=3']
    options += ['find_unused_parameters=True']
    done = run.ranks('train.py', CE, '--work-dir', 'whole', *options, first=LOOKER)
    assert [rank.code for rank in done] == [0, 0], done
    assert (run.folder / 'wrapper').read_text() == 'False True', 'as on GPUs'
    done = run.ranks('train.py', CE, '--work-dir', 'stopped', *options, first=LOOKER, STRIKE='SIGTERM 1 1 9')
    assert [rank.code for rank in done] == [143, 143] and 'saved epoch 2, step 16' in done[0].out, done
    first, second = load_checkpoint(run.folder / 'stopped/epoch_1_step_16.pth')['ranks']
    for part in ('gradients', 'statistics'):
        assert first[part].keys() == second[part].keys() and first[part]
        assert any(not torch.equal(value, second[part][name]) for name, value in first[part].items())
    done = run.ranks('train.py', CE, '--work-dir', 'stopped', '--resume', *options)
    assert [rank.code for rank in done] == [0, 0] and 'resumed after epoch 1, step 16' in done[0].out, done
    whole, stopped = (torch.load(run.folder / name / 'epoch_4.pth') for name in ('whole', 'stopped'))
    assert whole['sha256'] == stopped['sha256']


@pytest.mark.parametrize(('number', 'code'), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_saves_and_ends_with_our_own_line(run, number, code):
    command = ['bash', str(ROOT / 'tools/dist_train.sh'), CE, '2', '--work-dir', 'run']
    options = ['--cfg-options', 'train_cfg.max_epochs=1000', 'default_hooks.checkpoint.seconds=0']
    process = subprocess.Popen([*command, *options], cwd=run.folder, text=True, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, env={**os.environ, 'OMP_NUM_THREADS': '1'},
                               preexec_fn=hear_signals)  # fmt: skip
    while not list((run.folder / 'run').glob('epoch_*.pth')):
        assert process.poll() is None, process.communicate()
        time.sleep(0.1)
    process.send_signal(number)
    out, err = process.communicate(timeout=300)
    assert process.returncode == code, out + err
    assert 'Traceback' not in out + err and 'SignalException' not in out + err
    assert '--resume goes on from there' in out.strip().splitlines()[-1]


def test_a_mistake_is_said_without_torchruns_own_report(run):
    command = ['bash', str(ROOT / 'tools/dist_train.sh'), 'configs/none.py', '2']
    done = subprocess.run(command, cwd=run.folder, capture_output=True, text=True, timeout=300)
    assert done.returncode == 1
    assert {line for line in done.stderr.splitlines() if line} == {'error: there is no config configs/none.py.'}


def test_a_process_that_is_ended_for_anothers_mistake_is_not_called_killed(run):
    script = run.folder / 'script.py'
    script.write_text(
        "import os, sys, time\nif os.environ['RANK'] == '1':\n    sys.exit('error: my own reason.')\ntime.sleep(120)\n"
    )
    done = two(run.folder, script)
    assert (done.returncode, done.stderr.split('\n')) == (1, ['error: my own reason.', '']), done.stderr
