"""CBD, DiVE, LTKD and SSD from end to end: killed in every stage, stages reused, teachers untouched."""

import os
import signal
from pathlib import Path

import pytest
import torch

from mmlt.apis.train import build_runner, train
from mmlt.config.find import config_roots
from mmlt.engine.loops import EpochTrainLoop
from mmlt.engine.stages import Stage
from mmlt.registry import MODELS

pytestmark = pytest.mark.slow
ROOT = config_roots()[0]


def needs(role: str, *configs: str) -> str:
    listed = [f'dict(config={config!r}, seed_offset={offset})' for config, offset in (one.split('+') for one in configs)]
    return f'prerequisites = dict({role}={listed[0] if len(listed) == 1 else "[" + ", ".join(listed) + "]"})\n'


# Short copies of the digits configs: name, config, what it needs.
FILES = {
    'ce': ('ce/resnet8_digitslt', ''),
    'teacher': ('cbd/resnet8_digitslt_teacher', ''),
    'jitter': ('cbd/resnet8_digitslt_jitter', ''),
    'cbd': ('cbd/resnet8_digitslt', needs('teacher', 'teacher.py+0')),
    'ens': ('cbd/resnet8_digitslt_ens', needs('teacher', 'teacher.py+0', 'teacher.py+1', 'jitter.py+2', 'jitter.py+3')),
    'balanced': ('balanced_softmax/resnet8_digitslt', ''),
    'dive': ('dive/resnet8_digitslt', needs('teacher', 'balanced.py+0')),
    'ltkd': ('ltkd/resnet8_digitslt', needs('teacher', 'ce.py+0')),
    'stage1': ('ssd/resnet8_digitslt_stage1', ''),
    'stage2': ('ssd/resnet8_digitslt_stage2', needs('backbone', 'stage1.py+0')),
    'ssd': ('ssd/resnet8_digitslt', needs('teacher', 'stage2.py+0')),
    'stage4': ('ssd/resnet8_digitslt_stage4', needs('backbone', 'ssd.py+0')),
    'crt': ('crt/resnet8_digitslt', needs('backbone', 'stage1.py+0')),
}
# A method's last config and its stages, in the order in which one command trains them.
METHODS = {
    'ens': ['teacher/seed0', 'teacher/seed1', 'jitter/seed2', 'jitter/seed3', 'ens/seed0'],
    'dive': ['balanced/seed0', 'dive/seed0'],
    'ltkd': ['ce/seed0', 'ltkd/seed0'],
    'stage4': ['stage1/seed0', 'stage2/seed0', 'ssd/seed0', 'stage4/seed0'],
}


def write_configs(folder: Path) -> Path:
    folder.mkdir(parents=True)
    for name, (base, needed) in FILES.items():
        (folder / f'{name}.py').write_text(
            f"_base_ = ['{ROOT}/{base}.py']\n{needed}train_cfg = dict(max_epochs=2)\n"
            'default_hooks = dict(checkpoint=dict(seconds=0))\n'
        )
    return folder


def checkpoint(folder: Path, stage: str) -> dict:
    return torch.load(folder / 'work_dirs' / stage / 'epoch_2.pth')


@pytest.fixture(scope='module')
def whole(tmp_path_factory) -> Path:
    """All methods trained without a break."""
    folder = write_configs(tmp_path_factory.mktemp('whole') / 'runs')
    before = Path.cwd()
    os.chdir(folder)
    try:
        for method in METHODS:
            train(f'{method}.py')
    finally:
        os.chdir(before)
    return folder


def train_until_killed(config: str, stage: str) -> None:
    """Train in a process of its own that is killed in the second epoch of a stage."""
    child = os.fork()
    if child == 0:
        step = EpochTrainLoop.run_iter

        def die(loop, batch):
            step(loop, batch)
            if loop.runner.work_dir.endswith(stage) and loop.iter == 9:
                os.kill(os.getpid(), signal.SIGKILL)

        EpochTrainLoop.run_iter = die
        try:
            train(config, resume=True)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL, f'{config} did not die in {stage}'


@pytest.mark.parametrize('method', METHODS)
def test_killed_in_each_stage_it_ends_with_the_same_weights(method, whole, tmp_path, monkeypatch, capsys):
    folder = write_configs(tmp_path / 'runs')
    monkeypatch.chdir(folder)
    for stage in METHODS[method]:
        train_until_killed(f'{method}.py', stage)
        assert (folder / 'work_dirs' / stage / 'epoch_1.pth').is_file()
    capsys.readouterr()
    train(f'{method}.py', resume=True)
    said = ' '.join(capsys.readouterr().out.split())  # lines may be broken anywhere
    assert said.count('finished before') == len(METHODS[method]) - 1 and 'resumed after epoch 1' in said, said
    for stage in METHODS[method]:
        one, other = checkpoint(whole, stage), checkpoint(folder, stage)
        assert one['state_dict'].keys() == other['state_dict'].keys()
        assert all(torch.equal(value, other['state_dict'][name]) for name, value in one['state_dict'].items()), stage


def test_finished_stages_serve_the_next_method(whole, monkeypatch, capsys):
    monkeypatch.chdir(whole)
    before = {path: path.read_bytes() for path in whole.glob('work_dirs/*/seed*/epoch_2.pth')}
    for method, stage in (('cbd', 'teacher'), ('crt', 'stage1'), ('ssd', 'stage2')):
        train(f'{method}.py')
        said = ' '.join(capsys.readouterr().out.split())
        assert f'{stage}, seed 0: finished before' in said, said
    assert all(path.read_bytes() == content for path, content in before.items())


@pytest.mark.parametrize(
    'config', ['cbd/resnet8_digitslt', 'cbd/resnet8_digitslt_ens', 'dive/resnet8_digitslt', 'ltkd/resnet8_digitslt',
               'ssd/resnet8_digitslt'],
)  # fmt: skip
def test_teachers_do_not_change_by_a_byte_while_a_student_trains(config, tmp_path):
    stage = Stage(ROOT / f'{config}.py', overrides={'train_cfg.max_epochs': 1}, work_root=tmp_path)
    runner = build_runner(stage)
    student, teachers = runner.bare_model, []
    for place, need in enumerate(stage.prerequisites['teacher']):
        torch.manual_seed(place)
        teachers.append(MODELS.build(need.source.cfg.model))
        teachers[-1].set_class_counts(stage.loader.dataset.metainfo['class_counts'])
    student.attach('teacher', teachers)
    before = [{name: value.numpy().tobytes() for name, value in teacher.state_dict().items()} for teacher in teachers]
    own = {name: value.clone() for name, value in student.named_parameters()}
    runner._val_loop = None
    runner.train()
    assert all(not torch.equal(value, own[name]) for name, value in student.named_parameters() if value.requires_grad)
    for teacher, values in zip(teachers, before, strict=True):
        assert {name: value.numpy().tobytes() for name, value in teacher.state_dict().items()} == values
        assert not any(module.training for module in teacher.modules())
        assert not any(p.requires_grad for p in teacher.parameters())
    optimized = {id(p) for group in runner.optim_wrapper.param_groups for p in group['params']}
    assert not optimized & {id(p) for teacher in teachers for p in teacher.parameters()}
