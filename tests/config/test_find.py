"""Which file a config means by another one's name."""

from pathlib import Path

import pytest

from mmlt.config.find import bases_of, config_name, find_beside, find_config
from mmlt.errors import UserError


@pytest.mark.parametrize(
    ('name', 'text', 'bases'),
    [
        ('a.py', "x = 1\n_base_ = '../b.py'\n", ['../b.py']),
        ('a.py', "_base_ = ['b.py', './c.py']\nx = 1\n", ['b.py', './c.py']),
        ('a.py', "_base_ = ['b.py'] + ['c.py']\n", ['b.py', 'c.py']),
        ('a.py', "_base_ = ['mmpretrain::_base_/models/resnet18.py', 'b.py']\n", ['b.py']),
        ('a.py', "x = dict(_base_='b.py')\n", []),
        ('a.json', '{"_base_": ["b.json"]}', ['b.json']),
        ('a.yaml', 'x: 1\n', []),
    ],
)
def test_bases_are_seen_from_the_file_that_names_them(name, text, bases, tmp_path):
    (tmp_path / name).write_text(text)
    assert bases_of(tmp_path / name) == [tmp_path / base for base in bases]


def test_a_config_is_found_beside_the_base_that_names_it(tmp_path):
    """The child lies elsewhere than the base whose `prerequisites` name `teacher.py`."""
    for folder in ('child', 'base'):
        (tmp_path / folder).mkdir()
    child, base, teacher = tmp_path / 'child/c.py', tmp_path / 'base/b.py', tmp_path / 'base/teacher.py'
    child.write_text("_base_ = '../base/b.py'\n")
    base.write_text("prerequisites = dict(teacher=dict(config='teacher.py'))\n")
    teacher.write_text('')
    assert find_beside(child, 'teacher.py') == teacher
    nearer = tmp_path / 'child/teacher.py'
    nearer.write_text('')
    assert find_beside(child, 'teacher.py') == nearer
    assert find_beside(child, 'ce/resnet8_digitslt.py') == find_config('configs/ce/resnet8_digitslt.py')
    with pytest.raises(UserError, match='there is no config nobody.py'):
        find_beside(child, 'nobody.py')


def test_name_is_the_path_below_configs():
    assert config_name(find_config('configs/ce/resnet8_digitslt.py')) == 'ce/resnet8_digitslt'
    assert config_name(Path('/elsewhere/mine.py')) == 'mine'
