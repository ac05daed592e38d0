"""The weights that a run begins with: `load_from`, `prerequisites.init`, and a backbone handed on to a second stage."""

import json
from pathlib import Path

import pytest
import torch
from commands import isolated

from mmlt.apis.train import train
from mmlt.engine.checkpoint import save_checkpoint
from mmlt.engine.stages import Stage
from mmlt.errors import UserError

ROOT = Path(__file__).resolve().parents[2]
CE = f'{ROOT}/configs/ce/resnet8_digitslt.py'
ONE = {'train_cfg.max_epochs': 1, 'param_scheduler.0.milestones': [1]}
STILL = {**ONE, 'optim_wrapper.optimizer.lr': 0.0}  # the weights stay what the run begins with; batch statistics do not
WIDE = """
model = dict(
    backbone=dict(_delete_=True, type='mmpretrain.ResNet_CIFAR', depth=18, base_channels=8), head=dict(in_channels=64)
)
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current folder of a test."""
    monkeypatch.chdir(tmp_path)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with isolated():
        yield tmp_path
    torch.set_num_threads(threads)


def write(name: str, text: str, base: str = CE) -> str:
    """A config over `base`."""
    Path(name).write_text(f"_base_ = ['{base}']\n{text}")
    return name


def weights(record: dict) -> dict[str, torch.Tensor]:
    """The weights that a run ended with."""
    return torch.load(Path(record['folder']) / record['checkpoint']['file'])['state_dict']


def test_load_from_takes_what_agrees_and_names_the_rest(folder, capsys):
    first = weights(train(CE, overrides=ONE))
    state = {f'module.{name}': value for name, value in first.items()}  # as a distributed wrapper saves it
    state['module.head.weight'] = torch.zeros(7, 64)
    del state['module.head.bias']
    state['module.projector.weight'] = torch.zeros(3)
    state['module.class_counts'] = state['module.class_counts'] * 3
    torch.save(state, 'bare.pth')
    torch.save(dict(state_dict=state, epoch=3), 'wrapped.pth')
    for name in ('bare', 'wrapped'):
        capsys.readouterr()
        other_run = {'train_dataloader.batch_size': 32 + len(name)}
        record = train(write('c.py', f"load_from = '{name}.pth'"), overrides={**STILL, **other_run})
        said = capsys.readouterr().out
        taken = len([key for key in first if key.startswith('backbone.')])
        assert f'load_from {name}.pth: {taken} tensors taken, 3 not: ' in said
        assert 'head.weight ((7, 64) there, (10, 64) here)' in said
        assert 'head.bias (not there)' in said and 'projector.weight (unknown here)' in said
        after = weights(record)
        for key in first:
            if key.startswith('backbone.') and not key.endswith(('running_mean', 'running_var', 'num_batches_tracked')):
                assert torch.equal(after[key], first[key]), key
        assert torch.equal(after['class_counts'], first['class_counts'])  # of the training set, not of the file


def test_a_file_that_does_not_fit_or_is_not_there_or_holds_more_is_refused(folder):
    torch.save({'layer1.weight': torch.zeros(2)}, 'other.pth')
    with pytest.raises(UserError, match='other.pth has no weight that fits this model: it holds layer1.weight'):
        train(write('c.py', "load_from = 'other.pth'"), overrides=ONE)
    torch.save({'state_dict': {'a': torch.zeros(1)}, 'hub': Path('x')}, 'more.pth')
    with pytest.raises(UserError, match='holds more than tensors and plain data'):
        train(write('c.py', "load_from = 'more.pth'"), overrides=ONE)
    with pytest.raises(UserError, match='load_from names none.pth, and there is no such file'):
        Stage(write('c.py', "load_from = 'none.pth'"))


def test_its_content_decides_the_outcome(folder):
    hashes = []
    for value in (0.0, 1.0, 0.0):
        torch.save({'head.bias': torch.full((10,), value)}, 'w.pth')
        hashes.append(Stage(write('c.py', "load_from = 'w.pth'")).config_hash)
    assert hashes[0] == hashes[2] != hashes[1]
    assert Stage(CE).config_hash not in hashes


def test_a_resumed_run_does_not_begin_again(folder, capsys):
    torch.save({'head.bias': torch.ones(10)}, 'w.pth')
    each = 'train_cfg = dict(max_epochs=3)\ndefault_hooks = dict(checkpoint=dict(interval=1))'
    config = write('c.py', f"load_from = 'w.pth'\n{each}")
    whole = weights(train(config))
    folder_of_run = Path('work_dirs/c/seed0')
    for name in ('results.json', 'epoch_3.pth'):
        (folder_of_run / name).unlink()
    capsys.readouterr()
    again = train(config, resume=True)
    said = capsys.readouterr().out
    assert 'resumed after epoch 2' in said and 'load_from' not in said
    assert all(torch.equal(value, whole[name]) for name, value in weights(again).items())


def test_init_survives_parts_that_initialise_themselves(folder):
    first = train(write('first.py', WIDE), overrides=ONE)
    config = write('second.py', "prerequisites = dict(init=dict(checkpoint='first.pth'))", 'first.py')
    Path('first.pth').write_bytes((Path(first['folder']) / 'epoch_1.pth').read_bytes())
    second, before = weights(train(config, overrides=STILL)), weights(first)
    trained = [name for name in before if 'running' not in name and 'tracked' not in name]
    assert len(trained) > 60 and all(torch.equal(second[name], before[name]) for name in trained)


def test_a_frozen_backbone_that_initialises_itself_stays_the_first_stages(folder):
    first = train(write('first.py', WIDE), overrides=ONE)
    Path('first.pth').write_bytes((Path(first['folder']) / 'epoch_1.pth').read_bytes())
    crt = f'{ROOT}/configs/crt/resnet8_digitslt.py'
    config = write('second.py', WIDE + "prerequisites = dict(backbone=dict(_delete_=True, checkpoint='first.pth'))", crt)
    second, before = weights(train(config, overrides={'train_cfg.max_epochs': 1})), weights(first)
    assert all(torch.equal(second[name], before[name]) for name in before if name.startswith('backbone.'))


def test_a_frozen_backbone_of_random_weights_is_named(folder, capsys):
    crt = "model = dict(type='FrozenBackboneClassifier')"
    train(write('alone.py', crt), overrides=ONE)
    assert 'nothing gave it weights' in ' '.join(capsys.readouterr().out.split())
    first = train(CE, overrides=ONE)
    torch.save(weights(first), 'first.pth')
    train(write('loaded.py', f"{crt}\nload_from = 'first.pth'"), overrides=ONE)
    assert 'nothing gave it weights' not in ' '.join(capsys.readouterr().out.split())


def test_a_head_of_classes_in_another_order_is_not_taken_over(folder):
    first = train(CE, overrides=ONE)
    path = Path(first['folder']) / first['checkpoint']['file']
    content = torch.load(path)
    content['meta']['classes'] = content['meta']['classes'][::-1]
    save_checkpoint(Path('turned.pth'), content)
    for role, model in (('backbone', "model = dict(type='LWSClassifier')"), ('init', '')):
        config = write(f'{role}.py', f"{model}\nprerequisites = dict({role}=dict(checkpoint='turned.pth'))")
        with pytest.raises(UserError, match='other classes, or in another order'):
            train(config, overrides=ONE)
    with pytest.raises(UserError, match="takes no prerequisite called 'backbone'"):
        train(write('plain.py', "prerequisites = dict(backbone=dict(checkpoint='turned.pth'))"), overrides=ONE)
    crt = "model = dict(type='FrozenBackboneClassifier')"
    train(write('crt.py', f"{crt}\nprerequisites = dict(backbone=dict(checkpoint='turned.pth'))"), overrides=ONE)


def test_a_head_that_was_given_is_not_set_to_class_means(folder):
    head = "head=dict(_delete_=True, type='CosineHead')"
    first = train(write('first.py', f'model = dict({head})'), overrides=ONE)
    torch.save(weights(first), 'first.pth')
    text = f"model = dict({head})\ncustom_hooks = [dict(type='HeadStartHook')]\n"
    means = weights(train(write('means.py', text), overrides=STILL))['head.weight']
    given = weights(train(write('given.py', f"{text}load_from = 'first.pth'"), overrides=STILL))['head.weight']
    assert torch.equal(given, weights(first)['head.weight']) and not torch.equal(means, given)


def test_best_by_another_metric_is_another_run_and_said(folder):
    often, hook = 'train_cfg = dict(val_interval=1)\n', 'default_hooks = dict(checkpoint=dict(save_best={!r}))'
    config = write('c.py', often + hook.format('calibration/ece'))
    two = {'train_cfg.max_epochs': 3, 'param_scheduler.0.milestones': [2]}
    record = train(config, overrides=two)
    meta = torch.load(Path(record['folder']) / 'epoch_3.pth')['meta']
    errors = {one['epoch']: one['metrics']['calibration/ece'] for one in meta['history']}  # of epochs 1 and 2: saved before 3's
    errors[3] = record['last']['metrics']['calibration/ece']
    best = min(errors, key=errors.get)
    stored = json.loads((Path(record['folder']) / 'results.json').read_text())['best']
    assert stored['selected_by'] == 'calibration/ece' and stored['epoch'] == best
    assert torch.load(Path(record['folder']) / 'best.pth')['meta']['epoch'] == best
    usual = write('d.py', often)
    assert Stage(config, overrides=two).config_hash != Stage(usual, overrides=two).config_hash
    named = write('e.py', often + hook.format('accuracy/top1'))
    assert Stage(named, overrides=two).config_hash == Stage(usual, overrides=two).config_hash
