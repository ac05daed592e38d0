"""Runs that are killed, and runs that are asked to stop, end up where the run that was left alone does."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
CE, BKD = 'configs/ce/resnet8_digitslt.py', 'configs/bkd/resnet8_digitslt.py'
SLOW_LOOP = """
import signal, sys, time
sys.path.insert(0, {root!r})
from mmlt.engine.loops import EpochTrainLoop
whole = EpochTrainLoop.run_iter
def slow(loop, batch):
    with open('steps', 'a') as file:
        file.write(f'{{loop.epoch}} {{loop.step + 1}}\\n')
    whole(loop, batch)
    time.sleep({seconds})
EpochTrainLoop.run_iter = slow
import runpy
runpy.run_path({root!r} + '/tools/train.py', run_name='__main__')
"""


def test_a_short_campaign():
    phases = ['student step', 'inside a checkpoint write', 'results', 'shared teacher', 'SIGTERM in the midst of an epoch']
    script = [sys.executable, str(ROOT / 'tests/chaos.py'), '--trials', '11', '--seed', '1', '--phases', *phases]
    done = subprocess.run(script, capture_output=True, text=True, env={**os.environ, 'OMP_NUM_THREADS': '1'}, timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr
    assert '5 of 5 equal' in done.stdout and '143' in done.stdout and '-9' in done.stdout


class SlowRun:
    """tools/train.py with a pause after each step, so that a signal can be aimed."""

    def __init__(self, folder: Path, *args: str, seconds: float = 0.3) -> None:
        self.folder = folder
        code = SLOW_LOOP.format(root=str(ROOT), seconds=seconds)
        self.process = subprocess.Popen(
            [sys.executable, '-c', code, *args],
            cwd=folder,
            env={**os.environ, 'OMP_NUM_THREADS': '1'},
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def wait_for_step(self, count: int) -> None:
        steps = self.folder / 'steps'
        while not steps.exists() or len(steps.read_text().splitlines()) < count:
            assert self.process.poll() is None, self.process.communicate()
            time.sleep(0.01)

    def end(self) -> tuple[int, str, str]:
        out, err = self.process.communicate(timeout=120)
        return self.process.returncode, out, err


@pytest.mark.parametrize(('number', 'code'), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_finishes_the_step_and_saves_it(run, number, code):
    options = ['--work-dir', 'stopped', '--cfg-options', 'train_cfg.max_epochs=3']
    slow = SlowRun(run.folder, CE, *options)
    slow.wait_for_step(8)  # the second step of the second epoch
    slow.process.send_signal(number)
    returned, out, err = slow.end()
    assert returned == code and 'Traceback' not in err
    (saved,) = (run.folder / 'stopped').glob('epoch_*_step_*.pth')
    meta = torch.load(saved)['meta']
    epoch, step = map(int, (run.folder / 'steps').read_text().splitlines()[-1].split())
    assert (meta['epoch'], meta['step']) == (epoch, step) and 0 < step < 6
    assert f'epoch {epoch + 1}, step {step}' in out
    run('train.py', CE, '--resume', *options)
    run('train.py', CE, '--work-dir', 'whole', *options[2:])
    stopped, whole = (torch.load(run.folder / name / 'epoch_3.pth') for name in ('stopped', 'whole'))
    assert stopped['sha256'] == whole['sha256']


def test_a_second_signal_leaves_at_once(run):
    slow = SlowRun(run.folder, CE, '--work-dir', 'stopped', seconds=20)
    slow.wait_for_step(1)
    time.sleep(3)  # the step is done, its pause of 20 seconds runs
    started = time.monotonic()
    slow.process.send_signal(signal.SIGINT)
    time.sleep(0.5)
    slow.process.send_signal(signal.SIGINT)
    returned, _, err = slow.end()
    assert returned == 130 and time.monotonic() - started < 15 and 'Traceback' not in err
    assert not list((run.folder / 'stopped').glob('.*.tmp'))


def test_a_sigterm_that_comes_twice_at_once_still_saves(run):
    slow = SlowRun(run.folder, CE, '--work-dir', 'stopped', seconds=8)
    slow.wait_for_step(1)
    time.sleep(3)  # the step is done, its pause of 8 seconds runs
    for _ in range(2):  # as from a scheduler, and from a parent that hands it on
        slow.process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
    returned, out, err = slow.end()
    assert returned == 143 and '--resume goes on from there' in out and 'Traceback' not in err
    assert len(list((run.folder / 'stopped').glob('epoch_*.pth'))) == 1


def test_a_student_that_waits_for_its_teacher_leaves_on_ctrl_c(run):
    slow = SlowRun(run.folder, BKD, seconds=5)
    slow.wait_for_step(1)
    waiting = run.start('train.py', BKD, '--work-dir', 'other')
    while 'waiting for another process' not in (line := waiting.stdout.readline()):
        assert line, waiting.communicate()
    waiting.send_signal(signal.SIGINT)
    _, err = waiting.communicate(timeout=60)
    assert waiting.returncode == 130 and 'Traceback' not in err
    slow.process.kill()
    slow.end()


def test_a_signal_in_the_teachers_last_evaluation_does_not_start_the_student(run):
    code = SLOW_LOOP.format(root=str(ROOT), seconds=0).replace(
        'import runpy\n',
        'from mmlt.engine.loops import EvalLoop\nimport os\n'
        'evaluate = EvalLoop.run\n'
        'def run(loop):\n    os.kill(os.getpid(), signal.SIGTERM) if loop.runner.epoch == 60 else None\n'
        '    return evaluate(loop)\n'
        'EvalLoop.run = run\nimport runpy\n',
    )
    done = subprocess.run([sys.executable, '-c', code, BKD], cwd=run.folder, capture_output=True, text=True, timeout=300,
                          env={**os.environ, 'OMP_NUM_THREADS': '1'})  # fmt: skip
    assert done.returncode == 143, done.stdout + done.stderr
    assert run.results('ce/resnet8_digitslt/seed0')['finished']
    assert not list(run.folder.glob('work_dirs/bkd/**/epoch_*.pth'))
