"""Stopped in the midst of an epoch and resumed, under options that keep a state of their own: the same to the bit."""

import json
import os
import signal
from pathlib import Path

import pytest

from mmlt.engine.checkpoint import load_checkpoint
from mmlt.engine.loops import EpochTrainLoop

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
CE = 'configs/ce/resnet8_digitslt.py'
WAYS = {
    'three steps an update': 'optim_wrapper = dict(accumulative_counts=3)',
    # An epoch has 6 steps: gradients are added up across its end.
    'four steps an update': 'optim_wrapper = dict(accumulative_counts=4, clip_grad=dict(max_norm=1))',
    'EMA': "custom_hooks = [dict(type='EMAHook', momentum=0.1)]",
    'EMA of the statistics too': "custom_hooks = [dict(type='EMAHook', momentum=0.1, update_buffers=True)]",
    'EMA from the second epoch on': "custom_hooks = [dict(type='EMAHook', ema_type='MomentumAnnealingEMA', begin_epoch=1)]",
}


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


def scalars(folder) -> list[dict]:
    return [json.loads(line) for line in (folder / 'scalars.jsonl').read_text().splitlines()]


@pytest.mark.parametrize('way', WAYS)
@pytest.mark.parametrize('step', [9, 12])  # in the midst of the second epoch; at its end
def test_a_stopped_run_ends_with_the_same_weights(way, step, call, stop_at, tmp_path):
    options = ['--cfg-options', 'train_cfg.max_epochs=4', 'train_cfg.val_interval=2', 'default_hooks.logger.interval=2']
    config = tmp_path / 'own.py'
    config.write_text(f"_base_ = ['{ROOT / CE}']\n{WAYS[way]}\n")
    whole, stopped = tmp_path / 'whole', tmp_path / 'stopped'
    code, out, err = call('train', config, '--work-dir', whole, *options)
    assert code == 0, out + err
    stop_at(step)
    code, out, err = call('train', config, '--work-dir', stopped, *options)
    assert code == 143, out + err
    code, out, err = call('train', config, '--work-dir', stopped, '--resume', *options)
    assert code == 0 and 'resumed after' in out, out + err
    one, other = (load_checkpoint(folder / 'epoch_4.pth') for folder in (whole, stopped))
    assert one['sha256'] == other['sha256']
    metrics = [json.loads((folder / 'results.json').read_text())['last']['metrics'] for folder in (whole, stopped)]
    assert metrics[0] == metrics[1]
    assert [line['step'] for line in scalars(whole)] == [line['step'] for line in scalars(stopped)]
