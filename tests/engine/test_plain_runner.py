"""mmlt's parts under MMEngine's own Runner."""

from pathlib import Path

import pytest
import torch
from commands import isolated
from mmengine.config import Config
from mmengine.runner import Runner

from mmlt.apis.train import train
from mmlt.engine.stages import Stage
from mmlt.errors import UserError

ROOT = Path(__file__).resolve().parents[2]
CE = f'{ROOT}/configs/ce/resnet8_digitslt.py'


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """The current folder of a test."""
    monkeypatch.chdir(tmp_path)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with isolated():
        yield tmp_path
    torch.set_num_threads(threads)


def config(name: str, epochs: int = 1) -> Config:
    """A digits config as a user of MMEngine reads it."""
    cfg = Config.fromfile(f'{ROOT}/configs/{name}/resnet8_digitslt.py')
    cfg.work_dir, cfg.log_level, cfg.env_cfg = f'plain/{name}', 'ERROR', dict(cudnn_benchmark=False)
    cfg.train_cfg.max_epochs = epochs
    return cfg


def state(path: str) -> dict[str, torch.Tensor]:
    """The weights in a checkpoint."""
    return torch.load(path)['state_dict']


def test_it_trains_the_same_weights_as_mmlts_runner():
    two = {'train_cfg.max_epochs': 2}
    stage = Stage(CE, overrides=two)
    own = train(CE, overrides=two)
    cfg = config('ce', epochs=2)
    cfg.randomness = dict(seed=stage.draw_seed)
    runner = Runner.from_cfg(cfg)
    runner.train()
    mine, plain = state(f'{own["folder"]}/epoch_2.pth'), state('plain/ce/epoch_2.pth')
    assert mine.keys() == plain.keys()
    for name, value in mine.items():  # the layout in memory differs, and with it the order of sums
        torch.testing.assert_close(plain[name], value, rtol=1e-3, atol=1e-4)
    metrics = runner.test()
    assert metrics['accuracy/top1'] == pytest.approx(own['last']['metrics']['accuracy/top1'], abs=0.41)


def test_a_missing_teacher_names_the_command_that_trains_it():
    command = r'bkd/resnet8_digitslt needs a teacher .* `python tools/train.py .*ce/resnet8_digitslt.py`'
    with pytest.raises(UserError, match=command):
        Runner.from_cfg(config('bkd')).train()


def test_finished_prerequisites_are_found_or_named():
    first = train(CE, overrides={'train_cfg.max_epochs': 1})
    checkpoint = str(Path(first['folder']) / 'epoch_1.pth')
    for name, role in (('bkd', 'teacher'), ('crt', 'backbone')):
        cfg = config(name)
        cfg.prerequisites[role] = dict(checkpoint=checkpoint)
        Runner.from_cfg(cfg).train()
    before, after = state(checkpoint), state('plain/crt/epoch_1.pth')
    assert all(torch.equal(after[key], value) for key, value in before.items() if key.startswith('backbone.'))
    assert not torch.equal(after['head.weight'], before['head.weight'])
    Path('student.py').write_text(
        f"_base_ = ['{ROOT}/configs/kd/resnet8_digitslt.py']\nprerequisites = dict(teacher=dict(config='teacher.py'))"
    )
    Path('teacher.py').write_text(f"_base_ = ['{CE}']\ntrain_cfg = dict(max_epochs=1)")
    found = train('teacher.py')  # in work_dirs/, where the student looks
    cfg = Config.fromfile('student.py')
    cfg.work_dir, cfg.log_level = 'plain/student', 'ERROR'
    cfg.train_cfg.max_epochs = 1
    runner = Runner.from_cfg(cfg)
    runner.train()
    (teacher,) = runner.model.teachers['teacher']
    assert torch.equal(teacher.head.weight, state(f'{found["folder"]}/epoch_1.pth')['head.weight'])


def test_class_weights_begin_at_the_schedules_first_drop():
    runner = Runner.from_cfg(config('ce_drw'))
    runner.train()
    assert runner.model.reweighting.start_epoch == 40


def test_thresholds_of_several_labels_stand_in_its_checkpoints():
    cfg = Config.fromfile(f'{ROOT}/configs/multi_label/resnet8_digitsmulti_thresholds.py')
    cfg.work_dir, cfg.log_level, cfg.env_cfg = 'plain/several', 'ERROR', dict(cudnn_benchmark=False)
    cfg.train_cfg.max_epochs = 1
    runner = Runner.from_cfg(cfg)
    runner.train()
    meta = torch.load('plain/several/epoch_1.pth')['meta']
    assert meta['task'] == 'multi_label'
    assert meta['thresholds'] == pytest.approx(runner.model.thresholds.tolist()) and any(meta['thresholds'])


def test_resuming_is_refused():
    cfg = config('ce')
    cfg.resume = True
    with pytest.raises(UserError, match='cannot resume a run of mmlt: train with `python tools/train.py CONFIG --resume`'):
        Runner.from_cfg(cfg).train()


def test_computing_activations_again_is_refused():
    cfg = config('ce')
    cfg.activation_checkpointing = ['backbone']
    with pytest.raises(UserError, match="activation_checkpointing'.*accumulative_counts"):
        Runner.from_cfg(cfg).train()


def test_a_head_without_a_number_of_classes_takes_the_datas():
    cfg = config('ce')
    assert 'num_classes' not in cfg.model.head
    assert Runner.from_cfg(cfg).model.num_classes == 10
