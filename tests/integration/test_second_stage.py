"""A second stage from end to end: first stage trained once, reused by others, resumed to the bit."""

import shutil
from pathlib import Path

import pytest
import torch

from mmlt.apis.test import test as evaluate
from mmlt.apis.train import train
from mmlt.config.find import config_roots

pytestmark = pytest.mark.slow
ROOT = config_roots()[0]


@pytest.fixture
def configs(tmp_path, monkeypatch) -> Path:
    """Short copies of the CE, cRT and LWS configs of the digits, in a folder of their own."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'first.py').write_text(
        f"_base_ = ['{ROOT}/ce/resnet8_digitslt.py']\ntrain_cfg = dict(max_epochs=2)\n"
        'default_hooks = dict(checkpoint=dict(seconds=0))\n'
    )
    for name in ('crt', 'lws'):
        (tmp_path / f'{name}.py').write_text(
            f"_base_ = ['{ROOT}/{name}/resnet8_digitslt.py']\n"
            "prerequisites = dict(backbone=dict(config='first.py'))\ntrain_cfg = dict(max_epochs=3)\n"
            'default_hooks = dict(checkpoint=dict(seconds=0))\n'
        )
    return tmp_path


def test_two_second_stages_share_a_first_and_resume_to_the_bit(configs, capsys):
    whole = train(configs / 'crt.py')
    assert 'needed by crt' in capsys.readouterr().out
    train(configs / 'lws.py')
    assert 'finished before' in capsys.readouterr().out
    folder = Path(whole['folder'])
    first = torch.load(Path(whole['prerequisites']['backbone']['run']) / 'epoch_2.pth')['state_dict']
    last = torch.load(folder / 'epoch_3.pth')['state_dict']
    assert all(torch.equal(last[name], value) for name, value in first.items() if name.startswith('backbone.'))
    assert not torch.equal(last['head.weight'], first['head.weight'])

    killed = configs / 'killed'
    killed.mkdir()
    shutil.copy(folder / 'epoch_2.pth', killed)
    resumed = train(configs / 'crt.py', work_dir=killed, resume=True)
    assert 'resumed after epoch 2' in capsys.readouterr().out
    again = torch.load(killed / 'epoch_3.pth')['state_dict']
    assert again.keys() == last.keys() and all(torch.equal(again[name], value) for name, value in last.items())
    assert resumed['last'] == whole['last'] and resumed['prerequisites'] == whole['prerequisites']

    tested = evaluate(configs / 'crt.py', folder / 'epoch_3.pth', work_dir=configs / 'out')
    assert tested['metrics'] == pytest.approx(whole['last']['metrics'], abs=1e-4)


def test_doubled_corrections_are_named_once(configs, capsys):
    (configs / 'doubled.py').write_text(
        f"_base_ = ['{ROOT}/balanced_softmax/resnet8_digitslt.py']\ntrain_cfg = dict(max_epochs=2)\n"
        "train_dataloader = dict(sampler=dict(type='ClassBalancedSampler'))\n"
    )
    train(configs / 'doubled.py')
    said = ' '.join(capsys.readouterr().out.split())
    assert said.count('warning: balanced softmax (model.loss) and class-balanced sampling') == 1
