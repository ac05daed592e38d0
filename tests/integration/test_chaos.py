"""Runs that are killed, and runs that are asked to stop, end up where the run that was left alone does."""

import signal
import time

import pytest
import torch
from commands import ROOT

pytestmark = pytest.mark.slow
CE, BKD = 'configs/ce/resnet8_digitslt.py', 'configs/bkd/resnet8_digitslt.py'
# A pause after each step, so that a signal can be aimed: into the step, or into the pause.
SLOW_LOOP = """
import time
from mmlt.engine.loops import EpochTrainLoop
whole = EpochTrainLoop.run_iter
def slow(loop, batch):
    with open('steps', 'a') as file:
        file.write(f'{{loop.epoch}} {{loop.step + 1}}\\n')
    whole(loop, batch)
    open('pauses', 'a').write('pause\\n')
    time.sleep({seconds})
EpochTrainLoop.run_iter = slow
"""


def test_a_short_campaign(run):
    phases = ['student step', 'inside a checkpoint write', 'results', 'shared teacher', 'SIGTERM in the midst of an epoch']
    campaign = run.start(ROOT / 'tests/chaos.py', '--trials', '11', '--seed', '1', '--phases', *phases)
    code, out, err = campaign.done(timeout=900)
    assert code == 0, out + err
    assert '5 of 5 equal' in out and '143' in out and '-9' in out


@pytest.fixture
def slow(run):
    """Start `train.py` with a pause after each step."""

    def start(*args: str, seconds: float = 0.3):
        return run.start('train.py', *args, first=SLOW_LOOP.format(seconds=seconds))

    return start


def wait_for(process, file, count: int = 1) -> None:
    """Return once a run has written so many lines."""
    while not file.exists() or len(file.read_text().splitlines()) < count:
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)


@pytest.mark.parametrize(('number', 'code'), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_finishes_the_step_and_saves_it(run, slow, number, code):
    options = ['--work-dir', 'stopped', '--cfg-options', 'train_cfg.max_epochs=3']
    process = slow(CE, *options)
    wait_for(process, run.folder / 'steps', 8)  # the second step of the second epoch
    process.send_signal(number)
    returned, out, err = process.done()
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


def test_a_second_signal_leaves_at_once(run, slow):
    process = slow(CE, '--work-dir', 'stopped', seconds=20)
    wait_for(process, run.folder / 'pauses')
    started = time.monotonic()
    process.send_signal(signal.SIGINT)
    process.wait_for_line('once more leaves at once')
    process.send_signal(signal.SIGINT)
    returned, _, err = process.done()
    assert returned == 130 and time.monotonic() - started < 15 and 'Traceback' not in err
    assert not list((run.folder / 'stopped').glob('.*.tmp'))


def test_a_sigterm_that_comes_twice_at_once_still_saves(run, slow):
    process = slow(CE, '--work-dir', 'stopped', seconds=4)
    wait_for(process, run.folder / 'pauses')
    for _ in range(2):  # as from a scheduler, and from a parent that hands it on
        process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
    returned, out, err = process.done()
    assert returned == 143 and '--resume goes on from there' in out and 'Traceback' not in err
    assert len(list((run.folder / 'stopped').glob('epoch_*.pth'))) == 1


def test_a_student_that_waits_for_its_teacher_leaves_on_ctrl_c(run, slow):
    busy = slow(BKD, seconds=5)
    wait_for(busy, run.folder / 'steps')
    waiting = run.start('train.py', BKD, '--work-dir', 'other')
    waiting.wait_for_line('waiting for another process')
    waiting.send_signal(signal.SIGINT)
    code, _, err = waiting.done(timeout=60)
    assert code == 130 and 'Traceback' not in err
    assert busy.poll() is None


def test_a_signal_in_the_teachers_last_evaluation_does_not_start_the_student(run):
    first = (
        'import os, signal\nfrom mmlt.engine.loops import EvalLoop\nevaluate = EvalLoop.run\n'
        'def run(loop):\n    os.kill(os.getpid(), signal.SIGTERM) if loop.runner.epoch == 60 else None\n'
        '    return evaluate(loop)\n'
        'EvalLoop.run = run\n'
    )
    code, out, err = run.start('train.py', BKD, first=first).done()
    assert code == 143, out + err
    assert run.results('ce/resnet8_digitslt/seed0')['finished']
    assert not list(run.folder.glob('work_dirs/bkd/**/epoch_*.pth'))
