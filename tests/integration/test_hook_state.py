"""Hooks that count: stopped and resumed, a run goes on with what they have counted, or says why it cannot."""

import json
import os
import signal
import sys
import time
from pathlib import Path

import pytest
import torch
from mmengine.hooks import Hook

from mmlt.engine.checkpoint import load_checkpoint, save_checkpoint
from mmlt.engine.loops import EpochTrainLoop
from mmlt.registry import HOOKS

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
CE = 'configs/ce/resnet8_digitslt.py'


class Shrinking(Hook):
    """Makes the head's bias smaller at every step that its own count says: a lost count is seen in the weights."""

    def __init__(self, every: int = 5) -> None:
        self.every = every
        self.left = every
        self.seen: dict = dict(steps=[], mean=None)

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:  # noqa: ANN001
        self.left -= 1
        bias = runner.bare_model.head.bias.data
        if self.left == 0:
            self.left = self.every
            bias.mul_(0.5)
            self.seen['steps'] = [*self.seen['steps'][-3:], runner.iter]
        self.seen['mean'] = bias.clone() if self.seen['mean'] is None else self.seen['mean'] * 0.9 + bias
        if runner.iter == 20:
            bias.copy_(self.seen['mean'])


@HOOKS.register_module()
class ShrinkingHook(Shrinking):
    def state_dict(self) -> dict:
        return dict(left=self.left, seen=self.seen)

    def load_state_dict(self, state: dict) -> None:
        self.left, self.seen = state['left'], state['seen']


@HOOKS.register_module()
class ShrinkingInTheCheckpointHook(Shrinking):
    """As MMEngine's hooks do it."""

    def before_save_checkpoint(self, runner, checkpoint: dict) -> None:  # noqa: ANN001
        checkpoint['shrinking'] = dict(left=self.left, seen=self.seen)

    def after_load_checkpoint(self, runner, checkpoint: dict) -> None:  # noqa: ANN001
        self.left, self.seen = checkpoint['shrinking']['left'], checkpoint['shrinking']['seen']


@HOOKS.register_module()
class ForgetfulHook(Shrinking):
    """Its count stands nowhere."""


@HOOKS.register_module()
class ClockHook(Hook):
    """Notes when training began: no state of the run."""

    def before_train(self, runner) -> None:  # noqa: ANN001
        self.began, self.runner, self.model = time.time(), runner, runner.bare_model


@HOOKS.register_module()
class HalfHook(Hook):
    def state_dict(self) -> dict:
        return {}


@HOOKS.register_module()
class ObjectHook(ShrinkingHook):
    def state_dict(self) -> dict:
        return dict(left=self)


@HOOKS.register_module()
class StrictHook(ShrinkingHook):
    def load_state_dict(self, state: dict) -> None:
        raise KeyError('nothing of the kind')


@HOOKS.register_module()
class EnoughHook(Hook):
    """Asks in the midst of the second epoch that training end with it."""

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:  # noqa: ANN001
        if runner.iter + 1 == 8:
            runner.train_loop.stop_training = True


EARLY = dict(type='EarlyStoppingHook', monitor='accuracy/top1', min_delta=1e6, patience=2)
# name: (hooks, epoch of the end, of 6, and the step within which the run is stopped; an epoch has 6)
WAYS = {
    'early stopping, before an evaluation': ([EARLY], 3, 12),
    'early stopping, after an evaluation': ([EARLY], 3, 15),
    'an own hook': ([dict(type='ShrinkingHook')], 6, 9),
    'two of one kind': ([dict(type='ShrinkingHook', every=4), dict(type='ShrinkingHook', every=7)], 6, 15),
    'a hook that writes into the checkpoint': ([dict(type='ShrinkingInTheCheckpointHook')], 6, 9),
    'all of them and an average': (
        [EARLY, dict(type='ShrinkingHook'), dict(type='EMAHook', momentum=0.1), dict(type='ClockHook')], 3, 15),
    'an end asked for within an epoch': ([dict(type='EnoughHook')], 2, 9),
}  # fmt: skip


@pytest.fixture
def train(call, tmp_path):
    """Train with hooks into a folder: exit code, standard output, standard error."""

    def run(hooks: list[dict], folder: str, *options: str) -> tuple[int, str, str]:
        config = tmp_path / 'own.py'
        config.write_text(f"_base_ = ['{ROOT / CE}']\ncustom_hooks = {hooks!r}\n"
                          'train_cfg = dict(max_epochs=6, val_interval=1)\n')  # fmt: skip
        return call('train', config, '--work-dir', folder, *options)

    return run


@pytest.fixture
def stop_at(monkeypatch):
    """Send this process SIGTERM within the given step, counted from 1."""

    def arm(step: int) -> None:
        run_iter = EpochTrainLoop.run_iter

        def stopping(loop, batch):
            if loop.iter + 1 == step:
                os.kill(os.getpid(), signal.SIGTERM)
            run_iter(loop, batch)

        monkeypatch.setattr(EpochTrainLoop, 'run_iter', stopping)

    return arm


@pytest.mark.parametrize('way', WAYS)
def test_a_stopped_run_equals_one_that_was_not(way, train, stop_at, tmp_path):
    hooks, last, step = WAYS[way]
    code, out, err = train(hooks, 'whole')
    assert code == 0, out + err
    stop_at(step)
    code, out, err = train(hooks, 'stopped')
    assert code == 143, out + err
    code, out, err = train(hooks, 'stopped', '--resume')
    assert code == 0 and 'resumed after' in out, out + err
    records = [json.loads((tmp_path / name / 'results.json').read_text()) for name in ('whole', 'stopped')]
    assert [record['epochs'] for record in records] == [last, last]
    for key in ('last', 'best', 'evaluated_epochs', 'checkpoint'):
        assert records[0][key] == records[1][key]
    one, other = (load_checkpoint(tmp_path / name / f'epoch_{last}.pth') for name in ('whole', 'stopped'))
    assert one['sha256'] == other['sha256']


@pytest.mark.parametrize('options', [[], ['default_hooks.checkpoint=None']])
def test_a_run_killed_after_its_last_checkpoint_still_has_all_its_results(options, train, monkeypatch, tmp_path):
    hooks = [] if options else [EARLY]
    options = ['--cfg-options', 'train_cfg.max_epochs=3', *options]
    assert train(hooks, 'whole', *options)[0] == 0
    with monkeypatch.context() as patched:
        patched.setattr(sys.modules['mmlt.apis.train'], 'write_per_class_csv', lambda *_: sys.exit(9))
        assert train(hooks, 'killed', *options)[0] == 9
    code, out, err = train(hooks, 'killed', '--resume', *options)
    assert code == 0 and 'resumed after epoch 3' in out, out + err
    for name in ('per_class.csv', 'scalars.jsonl'):
        assert (tmp_path / 'killed' / name).read_text() == (tmp_path / 'whole' / name).read_text()
    one, other = (json.loads((tmp_path / name / 'results.json').read_text()) for name in ('whole', 'killed'))
    times = ('wall_seconds', 'images_per_s', 'peak_memory_mb')
    assert {k: v for k, v in one.items() if k not in times} == {k: v for k, v in other.items() if k not in times}


def test_what_the_hooks_have_counted_stands_in_the_checkpoint(train, tmp_path):
    assert train([EARLY, dict(type='ShrinkingHook')], 'run')[0] == 0
    hooks = load_checkpoint(tmp_path / 'run/epoch_3.pth')['hooks']
    assert hooks['EarlyStoppingHook']['wait_count'] == 2 and 0 < hooks['EarlyStoppingHook']['best_score'] <= 100
    assert hooks['ShrinkingHook']['left'] == 2  # of 18 steps, three since the last fifth
    assert hooks['ShrinkingHook']['seen']['mean'].shape == (10,)


def test_a_run_without_such_hooks_keeps_nothing_of_them(train, tmp_path):
    assert train([dict(type='ClockHook')], 'run')[0] == 0
    assert not {'hooks', 'hooks_unsaved', 'stop_training'} & load_checkpoint(tmp_path / 'run/epoch_6.pth').keys()


def test_a_count_that_stands_nowhere_is_told_while_training_and_refused_afterwards(train, stop_at, tmp_path):
    hooks = [dict(type='ForgetfulHook')]
    stop_at(9)
    code, out, err = train(hooks, 'run', '--cfg-options', 'default_hooks.checkpoint.seconds=0')
    assert code == 143, out + err
    told = [line for line in out.splitlines() if line.startswith('the hook ForgetfulHook counts (left, seen)')]
    assert len(told) == 1 and 'state_dict()' in told[0]
    code, out, err = train(hooks, 'run', '--resume', '--cfg-options', 'default_hooks.checkpoint.seconds=0')
    message = err.strip().splitlines()[-1]
    assert code == 1 and 'Traceback' not in err
    for words in ('cannot resume from', 'epoch_1_step_3.pth', 'ForgetfulHook counts (left, seen)', 'load_state_dict',
                  'another --work-dir'):  # fmt: skip
        assert words in message, message


def test_a_checkpoint_from_before_hooks_were_kept(train, stop_at, tmp_path):
    for hooks, fine in (([dict(type='ClockHook')], True), ([EARLY], False)):
        folder = f'run{fine}'
        stop_at(9)
        assert train(hooks, folder)[0] == 143
        (path,) = (tmp_path / folder).glob('epoch_*.pth')
        save_checkpoint(path, {key: value for key, value in load_checkpoint(path).items() if key != 'hooks'})
        code, out, err = train(hooks, folder, '--resume')
        assert code == (0 if fine else 1), out + err
        assert ('resumed after' in out) == fine
    assert 'it does not hold what the hook EarlyStoppingHook has counted' in err


@pytest.mark.parametrize(('kind', 'words'), [
    ('HalfHook', ['HalfHook', 'state_dict() and load_state_dict(state) alone', 'give it both']),
    ('ObjectHook', ['the state of the hook ObjectHook', 'ObjectHook.left is <', 'make it plain']),
])  # fmt: skip
def test_a_hook_that_could_not_be_kept_is_refused_before_the_first_step(kind, words, train, tmp_path):
    code, out, err = train([dict(type=kind)], 'run')
    message = err.strip().splitlines()[-1]
    assert code == 1 and 'Traceback' not in err
    for word in words:
        assert word in message, message
    assert not list((tmp_path / 'run').glob('*.pth'))


def test_a_hook_that_does_not_take_its_state_back(train, stop_at):
    stop_at(9)
    assert train([dict(type='StrictHook')], 'run')[0] == 143
    code, _, err = train([dict(type='StrictHook')], 'run', '--resume')
    assert code == 1 and 'Traceback' not in err
    assert 'the hook StrictHook does not take its state back (KeyError' in err


def test_a_weight_made_infinite_by_a_finite_loss_is_never_saved(train, call, monkeypatch, tmp_path):
    assert train([], 'run', '--cfg-options', 'default_hooks.checkpoint.seconds=0')[0] == 0
    run_iter = EpochTrainLoop.run_iter

    def huge(loop, batch):
        run_iter(loop, batch)
        if loop.iter == 12:  # the last step of the second epoch
            loop.runner.bare_model.backbone.conv1.weight.data[0, 0, 0, 0] = torch.inf

    monkeypatch.setattr(EpochTrainLoop, 'run_iter', huge)
    code, out, err = train([], 'wild', '--cfg-options', 'default_hooks.checkpoint.seconds=0')
    message = err.strip().splitlines()[-1]
    assert code == 1 and 'Traceback' not in err
    for words in ('after epoch 2', 'backbone.conv1.weight is NaN or infinite', 'clip_grad', 'no checkpoint was written'):
        assert words in message, message
    assert [path.name for path in (tmp_path / 'wild').glob('epoch_*.pth')] == ['epoch_1.pth']
    best = load_checkpoint(tmp_path / 'wild/best.pth')
    assert best['meta']['epoch'] == 1 and all(torch.isfinite(value).all() for value in best['state_dict'].values())
    monkeypatch.setattr(EpochTrainLoop, 'run_iter', run_iter)
    assert train([], 'wild', '--resume', '--cfg-options', 'default_hooks.checkpoint.seconds=0')[0] == 0
    one, other = (load_checkpoint(tmp_path / name / 'epoch_6.pth')['sha256'] for name in ('run', 'wild'))
    assert one == other
