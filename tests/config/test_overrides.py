"""`--cfg-options`: values as OpenMMLab's tools read them."""

from argparse import ArgumentParser

import pytest
from mmengine.config import DictAction

from mmlt.config.find import config_roots
from mmlt.config.load import load_config
from mmlt.config.overrides import parse_options
from mmlt.engine.stages import Stage
from mmlt.errors import UserError

OPTIONS = ['a.b=1', 'c=[1,2]', 'd=0.5,2e-3', 'e=True', 'f=None', 'g=some text', 'h=x=y', 'i=[(1,2),(a,b)]', 'h=x=y', 'j=']


def test_values_are_those_of_the_action_in_a_parser():
    parser = ArgumentParser()
    parser.add_argument('--cfg-options', nargs='+', action=DictAction)
    found = parse_options(OPTIONS)
    assert found == parser.parse_args(['--cfg-options', *OPTIONS]).cfg_options
    assert found['a.b'] == 1 and found['c'] == [1, 2] and found['e'] is True and found['h'] == 'x=y'


def test_no_option_is_no_override():
    assert parse_options([]) == {}


@pytest.mark.parametrize('option', ['a.b', '=1'])
def test_what_is_no_assignment_is_refused(option):
    with pytest.raises(UserError, match='write it as KEY=VALUE'):
        parse_options(['a=1', option])


def test_one_key_with_two_values_is_refused():
    with pytest.raises(UserError, match='gives a.b twice, as 1 and as 2'):
        parse_options(['a.b=1', 'c=3', 'a.b=2'])


def test_a_variable_of_the_file_is_no_key(tmp_path):
    text = f"_base_ = ['{config_roots()[0]}/ce/resnet8_digitslt.py']\nlong = 7\ntrain_cfg = dict(max_epochs=long)\n"
    (tmp_path / 'own.py').write_text(text)
    assert load_config(tmp_path / 'own.py').train_cfg.max_epochs == 7
    with pytest.raises(UserError, match="'long' is a variable of the config's file"):
        load_config(tmp_path / 'own.py', {'long': 3})


def test_what_changes_a_run_changes_its_hash():
    def hashed(**overrides) -> str:
        return Stage('ce/resnet8_digitslt.py', overrides=overrides).config_hash

    assert hashed(**{'default_hooks.param_scheduler': None}) != hashed()  # its rate stays the first
    other = {'test_evaluator': dict(type='ShotGroupMetric', convention='lvis')}
    assert hashed(**other) == hashed() and hashed(holdout=True, **other) != hashed(holdout=True)


def test_where_a_file_lies_that_a_run_starts_from_changes_no_hash(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'other').mkdir()
    for name, content in (('a.npy', b'one'), ('other/b.npy', b'one'), ('c.npy', b'two')):
        (tmp_path / name).write_bytes(content)
    files = ('a.npy', './a.npy', 'other/b.npy', str(tmp_path / 'a.npy'), 'c.npy')
    stages = [
        Stage('ce/resnet8_digitslt.py', overrides={'custom_hooks': [dict(type='HeadStartHook', features_file=file)]})
        for file in files
    ]
    assert len({stage.config_hash for stage in stages[:4]}) == 1 and stages[4].config_hash != stages[0].config_hash
    assert 'a.npy' not in str(stages[0].outcome)
