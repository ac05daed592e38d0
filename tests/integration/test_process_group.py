"""Signals to a whole process group, as a terminal's Ctrl-C, `timeout`, Slurm and torchrun send them."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from commands import ROOT, Started
from PIL import Image
from sklearn.datasets import load_digits

pytestmark = pytest.mark.slow
CE = 'configs/ce/resnet8_digitslt.py'
FILES = """
_base_ = [{base!r}]
train_dataloader = dict(
    batch_size=16, num_workers=2, dataset=dict(_delete_=True, type='ImageFolder', data_root='images', image_size=8, resize=8)
)
val_dataloader = dict(
    num_workers=2, dataset=dict(_delete_=True, type='ImageFolder', data_root='images', image_size=8, resize=8)
)
test_dataloader = val_dataloader
train_cfg = dict(max_epochs=3)
"""
PAUSES = """
import time
from mmlt.engine.loops import EpochTrainLoop
whole = EpochTrainLoop.run_iter
def slow(loop, batch):
    whole(loop, batch)
    open('steps', 'a').write('step ')
    time.sleep(0.2)
EpochTrainLoop.run_iter = slow
"""


def wait_until(what, process: Started | subprocess.Popen) -> None:
    while not what():
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)


def group_of(leader: int) -> list[int]:
    """The processes of a group that still live, by /proc."""
    found = []
    for path in Path('/proc').glob('[0-9]*/stat'):
        try:
            state, _, group = path.read_text().rpartition(')')[2].split()[:3]
        except OSError:  # ended meanwhile
            continue
        if int(group) == leader and state != 'Z':
            found.append(int(path.parent.name))
    return found


@pytest.fixture
def images(tmp_path):
    """100 digits as PNG files in ten class folders."""
    source = load_digits()
    for place, digit in enumerate(source.target[:100]):
        folder = tmp_path / 'images' / str(digit)
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray((source.images[place] * 15).astype(np.uint8)).save(folder / f'{place:04}.png')
    (tmp_path / 'files.py').write_text(FILES.format(base=str(ROOT / CE)))
    return tmp_path


def test_workers_live_until_the_run_has_saved(run, images):
    process = run.start('train.py', 'files.py', '--work-dir', 'stopped', first=PAUSES, session=True)
    steps = images / 'steps'
    wait_until(lambda: steps.exists() and steps.read_text().count('step') >= 9, process)  # of 7 an epoch
    assert len(group_of(process.pid)) == 3, 'the run and two workers'
    os.killpg(process.pid, signal.SIGTERM)
    code, out, err = process.done(timeout=120)
    assert code == 143, out + err
    assert 'Traceback' not in err and '--resume goes on from there' in out.strip().splitlines()[-1]
    assert list((images / 'stopped').glob('epoch_1_step_*.pth'))
    assert not group_of(process.pid)
    out, _ = run('train.py', 'files.py', '--work-dir', 'stopped', '--resume')
    assert 'resumed after epoch 1, step' in out
    assert (images / 'stopped/results.json').is_file()


@pytest.fixture
def slow_steps(tmp_path):
    """Steps long enough for a second signal to come before the first one's step ends; `steps` counts them."""
    (tmp_path / 'sitecustomize.py').write_text(
        'import sys\n'
        "if 'train' in sys.orig_argv or any(arg.endswith('tools/train.py') for arg in sys.orig_argv[:3]):\n"
        '    import time, torch\n'
        '    whole = torch.optim.SGD.step\n'
        '    def slow(*args, **kwargs):\n'
        "        open('steps', 'a').write('step ')\n"
        '        time.sleep(1)\n'
        '        return whole(*args, **kwargs)\n'
        '    torch.optim.SGD.step = slow\n'
    )


def marked(mark: str) -> list[int]:
    """The living processes that have `mark` in their environment, whatever group they are in."""
    found = []
    for path in Path('/proc').glob('[0-9]*'):
        try:
            if mark.encode() in (path / 'environ').read_bytes() and '\nState:\tZ' not in (path / 'status').read_text():
                found.append(int(path.name))
        except OSError:  # ended meanwhile, or somebody else's
            continue
    return found


@pytest.mark.skipif(sys.platform != 'linux', reason='the processes are looked for in /proc')
@pytest.mark.parametrize(('command', 'runs'), [
    (['tools/grid.py', CE, '--seeds', '0', '1', '--jobs', '2'], 2),
    (['tools/launch.py', '--nproc-per-node', '2', '--master-port', 'PORT', str(ROOT / 'tools/train.py'), CE, '--launcher',
      'pytorch'], 2),
])  # fmt: skip
def test_what_is_killed_outright_takes_its_runs_along_and_they_save(command, runs, slow_steps, tmp_path):
    mark = f'MMLT_TEST_MARK={tmp_path}'
    env = {**os.environ, 'PYTHONPATH': f'{tmp_path}:{ROOT}', 'MMLT_TEST_MARK': str(tmp_path)}
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        args = [str(free.getsockname()[1]) if arg == 'PORT' else arg for arg in command[1:]]
    process = subprocess.Popen([sys.executable, str(ROOT / command[0]), *args], cwd=tmp_path, env=env)
    steps = tmp_path / 'steps'
    wait_until(lambda: steps.exists() and steps.read_text().count('step') >= 2 * runs, process)
    assert len(marked(mark)) > runs
    process.kill()
    process.wait()
    end = time.monotonic() + 120
    while left := marked(mark):
        assert time.monotonic() < end, f'{left} still train'
        time.sleep(0.1)
    saved = list(tmp_path.glob('work_dirs/**/epoch_*.pth'))
    assert len(saved) == (2 if 'grid' in command[0] else 1), saved


@pytest.mark.parametrize(('number', 'code'), [(signal.SIGINT, 130), (signal.SIGHUP, 129)])
def test_a_grid_hands_a_signal_on_once_and_its_run_saves(run, slow_steps, tmp_path, number, code):
    places = os.pathsep.join(filter(None, [str(tmp_path), os.environ.get('PYTHONPATH')]))
    process = run.start('grid.py', CE, session=True, PYTHONPATH=places)
    steps = tmp_path / 'steps'
    wait_until(lambda: steps.exists() and steps.read_text().count('step') >= 2, process)
    os.killpg(process.pid, number)
    returned, out, err = process.done(timeout=120)
    assert returned == code and 'Traceback' not in err, out + err
    folder = tmp_path / 'work_dirs/ce/resnet8_digitslt/seed0'
    log = (folder / 'console.log').read_text()
    assert list(folder.glob('epoch_*.pth')), log
    assert 'Traceback' not in log and '--resume goes on from there' in log.strip().splitlines()[-1]
