"""Detectors by the command line: trained, stopped and resumed to the bit, on two processes, in a second stage."""

import json
import os
import subprocess
from pathlib import Path

import pytest
import torch

from mmlt.engine.checkpoint import load_checkpoint

pytest.importorskip('faster_coco_eval', reason='the extra `detection` (faster-coco-eval) is not installed')
pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
SIGMOID = ROOT / 'configs/detection/faster_rcnn_small_digits.py'
# 4 steps an epoch; the evaluation, which costs most, at the end alone.
SHORT = ['train_dataloader.sampler.num_samples=32', 'train_dataloader.batch_size=8', 'train_cfg.max_epochs=3',
         'train_cfg.val_interval=3', 'val_dataloader.dataset.seed=0', 'param_scheduler.1.milestones=[2]']  # fmt: skip
SEESAW = f"""
_base_ = ['{SIGMOID}']
model = dict(
    type='MaskRCNN',
    mask_channels=8,
    mask_layers=1,
    box_loss=dict(_delete_=True, type='SeesawBoxLoss'),
    data_preprocessor=dict(type='DetectionPreprocessor', mean=(0.2,) * 3, std=(0.2,) * 3, short_sides=[48, 64], divisor=4),
)
train_dataloader = dict(dataset=dict(train_transforms=[dict(type='TorchvisionTransform', name='RandomHorizontalFlip')]))
val_evaluator = dict(iou_types=['bbox', 'segm'])
"""


def test_stopped_and_resumed_equals_the_whole_run_to_the_bit(call, tmp_path, monkeypatch):
    from mmlt.engine.loops import EpochTrainLoop

    config = tmp_path / 'seesaw.py'
    config.write_text(SEESAW)
    whole, stopped = tmp_path / 'whole', tmp_path / 'stopped'
    code, out, err = call('train', config, '--work-dir', whole, '--cfg-options', *SHORT)
    assert code == 0, out + err
    run_iter = EpochTrainLoop.run_iter

    def stopping(loop, batch):
        if loop.iter + 1 == 6:
            os.kill(os.getpid(), 15)
        run_iter(loop, batch)

    monkeypatch.setattr(EpochTrainLoop, 'run_iter', stopping)
    code, out, err = call('train', config, '--work-dir', stopped, '--cfg-options', *SHORT)
    assert code == 143 and 'saved epoch 2, step 2' in out, out + err
    code, out, err = call('train', config, '--work-dir', stopped, '--resume', '--cfg-options', *SHORT)
    assert code == 0 and 'resumed after epoch 1, step 2' in out, out + err
    one, other = (load_checkpoint(folder / 'epoch_3.pth') for folder in (whole, stopped))
    assert one['sha256'] == other['sha256'] and one['state_dict']['roi_heads.box_loss.seen'].sum() > 100
    records = [json.loads((folder / 'results.json').read_text()) for folder in (whole, stopped)]
    assert records[0]['last'] == records[1]['last'] and set(records[0]['last']['metrics']) == {
        f'{kind}/{name}' for kind in ('bbox', 'segm') for name in ('AP', 'AP50', 'AP75', 'APr', 'APc', 'APf')
    }
    assert (whole / 'report.html').is_file() and (whole / 'per_class.csv').is_file()


def test_the_second_stage_goes_on_from_the_first(run):
    short = (
        "train_dataloader = dict(batch_size=8, sampler=dict(num_samples=16))\n"
        'train_cfg = dict(max_epochs=1, val_interval=1)\n'
    )
    first, second = run.folder / 'first.py', run.folder / 'second.py'
    first.write_text(f"_base_ = ['{SIGMOID}']\n{short}")
    second.write_text(
        f"_base_ = ['{SIGMOID}']\n{short}"
        "prerequisites = dict(init=dict(config='first.py'))\n"
        "model = dict(trained='box_classifier', box_loss=dict(_delete_=True, type='BalancedSigmoidBoxLoss'))\n"
    )
    data = ['train_dataloader.dataset.seed=1', 'val_dataloader.dataset.seed=1']
    out, _ = run('train.py', second, '--cfg-options', *data)
    results = run.results('second@*/seed0')
    begun = load_checkpoint(next(run.folder.glob('work_dirs/first@*/seed0/epoch_1.pth')))
    ended = load_checkpoint(next(run.folder.glob('work_dirs/second@*/seed0/epoch_1.pth')))
    assert results['prerequisites']['init']['checkpoint_sha256'] and 'bbox/AP' in results['last']['metrics']
    changed = {
        name for name, value in ended['state_dict'].items() if not torch.equal(value, begun['state_dict'][name])
    }
    assert changed == {'roi_heads.box_predictor.cls_score.weight', 'roi_heads.box_predictor.cls_score.bias'}


def test_two_processes_train_and_evaluate_as_one(run):
    env = {**os.environ, 'OMP_NUM_THREADS': '1'}
    train = ['bash', str(ROOT / 'tools/dist_train.sh'), str(SIGMOID), '2', '--work-dir', 'run', '--cfg-options', *SHORT]
    done = subprocess.run(train, cwd=run.folder, env=env, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    both = json.loads((run.folder / 'run/results.json').read_text())
    assert both['world_size'] == 2
    run('test.py', SIGMOID, 'run/epoch_3.pth', '--out', 'one.json')
    one = json.loads((run.folder / 'one.json').read_text())
    assert one['metrics'] == both['last']['metrics'] and len(one['per_class']) == 20


def test_a_step_is_not_compiled_and_says_so(call, tmp_path):
    code, out, err = call('train', SIGMOID, '--work-dir', tmp_path / 'run', '--compile', '--cfg-options', *SHORT[:2],
                          'train_cfg.max_epochs=1')  # fmt: skip
    assert code == 0 and "a detector's step is not compiled" in out, out + err


def test_a_mistake_is_one_sentence(call, tmp_path):
    code, _, err = call('train', SIGMOID, '--cfg-options', 'model.num_classes=7')
    assert code == 1 and err.strip().splitlines() == [
        'error: the detector has 7 classes but the training set 20: set model.num_classes=20.'
    ]
    code, _, err = call('train', SIGMOID, '--cfg-options', 'val_evaluator.iou_types=["segm"]', *SHORT)
    assert code == 1 and 'the model gives no masks: use MaskRCNN' in err and 'Traceback' not in err
