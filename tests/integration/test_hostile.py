"""Hostile checkpoints of every kind, given to every tool that loads one: a sentence or nothing at all, never a mark."""

import contextlib
import shutil
from pathlib import Path

import misfits
import pytest
from hostile import HARMLESS, META_KINDS, NOT_PLAIN, PICKLE_KINDS, write
from misfits import MISFITS

from mmlt.apis.train import train
from mmlt.engine.checkpoint import load_checkpoint

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
CE, BKD = 'configs/ce/resnet8_digitslt.py', 'configs/bkd/resnet8_digitslt.py'
EPOCHS = ['train_cfg.max_epochs=2', 'train_cfg.val_interval=9']
SECOND = f"""
_base_ = ['{ROOT / CE}']
model = dict(type='FrozenBackboneClassifier')
train_cfg = dict(max_epochs=1)
prerequisites = dict(backbone=dict(checkpoint='x'))
"""
# Weights that other packages read: timm's, MMEngine's.
TIMM = f"""
_base_ = ['{ROOT / CE}']
model = dict(
    backbone=dict(_delete_=True, type='TimmBackbone', model_name='test_resnet', pretrained=True, checkpoint='x'),
    head=dict(in_channels=96))
train_cfg = dict(max_epochs=1)
"""
PRETRAINED = f"""
_base_ = ['{ROOT / CE}']
model = dict(
    backbone=dict(_delete_=True, type='mmpretrain.ResNet', depth=18, init_cfg=dict(type='Pretrained', checkpoint='x')),
    head=dict(in_channels=512))
train_cfg = dict(max_epochs=1)
"""
# What a hostile file is given as: the tool, its arguments, and the kinds; a teacher's model is built from what the file says.
TEACHER = 'prerequisites.teacher.checkpoint={path}'
ROUTES = {
    'teacher': (('train', BKD, '--cfg-options', TEACHER, 'train_cfg.max_epochs=1'), (*META_KINDS, *PICKLE_KINDS)),
    'first stage': (('train', 'second.py', '--cfg-options', 'prerequisites.backbone.checkpoint={path}'),
                    ('dotted type of the model', 'pickle as the meta')),
    'test': (('test', CE, '{path}'), (*META_KINDS, *PICKLE_KINDS)),
    'test with a correction': (('test', CE, '{path}', '--adjust', 'tau_norm', '--tau', '1'),
                               ('stored Python', 'pickle as the weights')),
    'foreign weights': (('convert_weights', '{path}', 'out.pth', '--config', CE), PICKLE_KINDS),
    "MMEngine's weights": (('train', 'pretrained.py', '--cfg-options', 'model.backbone.init_cfg.checkpoint={path}'),
                           PICKLE_KINDS),
    "timm's weights": (('train', 'timm_weights.py', '--cfg-options', 'model.backbone.checkpoint={path}'), PICKLE_KINDS),
}  # fmt: skip
CASES = [(route, kind) for route, (_, kinds) in ROUTES.items() for kind in kinds]


@pytest.fixture(scope='module')
def honest(tmp_path_factory) -> Path:
    """The folder of a run of two epochs that was killed before it counted as finished."""
    folder = tmp_path_factory.mktemp('honest')
    overrides = {'train_cfg.max_epochs': 2, 'train_cfg.val_interval': 9, 'default_hooks.checkpoint.seconds': 0}
    with contextlib.chdir(folder):
        train(CE, overrides=overrides, work_dir=folder / 'run')
    (folder / 'run/results.json').unlink()
    return folder / 'run'


@pytest.mark.parametrize(('route', 'kind'), CASES)
def test_no_tool_runs_what_a_checkpoint_holds(route, kind, honest, call, tmp_path):
    for name, text in (('second', SECOND), ('timm_weights', TIMM), ('pretrained', PRETRAINED)):
        Path(f'{name}.py').write_text(text)
    mark = tmp_path / 'mark'
    path = write(kind, tmp_path / 'given.pth', load_checkpoint(honest / 'epoch_2.pth'), mark)
    (tool, *args), _ = ROUTES[route]
    code, out, err = call(tool, *(arg.format(path=path) for arg in args))
    assert not mark.exists()
    assert 'Traceback' not in out + err
    if kind in (*PICKLE_KINDS, *NOT_PLAIN) or (route in ('teacher', 'first stage') and kind not in HARMLESS):
        message = err.strip().splitlines()[-1]
        assert code == 1 and message.startswith('error: ') and 'given.pth' in message, out + err
        assert 'weights_only=False' not in message, 'advice to trust the file'
    else:
        assert code == 0, out + err


@pytest.mark.parametrize('kind', [*META_KINDS, *PICKLE_KINDS])
def test_resume_goes_on_from_the_checkpoint_before_a_hostile_one(kind, honest, call, tmp_path):
    folder = shutil.copytree(honest, tmp_path / 'run')
    mark = tmp_path / 'mark'
    newest = write(kind, folder / 'epoch_2.pth', load_checkpoint(folder / 'epoch_2.pth'), mark)
    code, out, err = call('train', CE, '--work-dir', folder, '--resume', '--cfg-options', *EPOCHS,
                          'default_hooks.checkpoint.seconds=0')  # fmt: skip
    assert not mark.exists()
    if kind == 'stored Python':  # it stands where the config's name belongs
        assert code == 1 and 'error: cannot resume from' in err
        return
    assert code == 0, out + err
    if kind in (*PICKLE_KINDS, *NOT_PLAIN):
        assert 'resumed after epoch 1 ' in out
        assert newest.with_name('epoch_2.pth.damaged').exists()
        assert load_checkpoint(newest)['sha256'] == load_checkpoint(honest / 'epoch_2.pth')['sha256']
    else:  # nothing reads what this run's checkpoint says about its model
        assert 'resumed after epoch 2 ' in out


@pytest.mark.parametrize('kind', MISFITS)
def test_resume_goes_on_from_the_checkpoint_before_one_that_does_not_fit(kind, honest, call, tmp_path):
    folder = shutil.copytree(honest, tmp_path / 'run')
    change, words = MISFITS[kind]
    newest = misfits.write(change, folder / 'epoch_2.pth', load_checkpoint(folder / 'epoch_2.pth'))
    code, out, err = call('train', CE, '--work-dir', folder, '--resume', '--cfg-options', *EPOCHS,
                          'default_hooks.checkpoint.seconds=0')  # fmt: skip
    assert code == 0 and 'Traceback' not in out + err, out + err
    assert 'resumed after epoch 1 ' in out
    skipped = next(line for line in (out + err).splitlines() if 'skipped: ' in line)
    for word in ['epoch_2.pth does not fit this run', *words]:
        assert word in skipped, skipped
    assert newest.with_name('epoch_2.pth.damaged').exists()
    assert load_checkpoint(newest)['sha256'] == load_checkpoint(honest / 'epoch_2.pth')['sha256']
