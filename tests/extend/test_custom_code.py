"""`custom_imports`: found beside the config, told apart, part of the outcome."""

import sys

import pytest

from mmlt.config.custom_code import custom_code
from mmlt.config.load import load_config
from mmlt.errors import UserError

BASE = "_base_ = ['../mmlt/configs/ce/resnet8_digitslt.py']\n"


@pytest.fixture(autouse=True)
def fresh_imports(monkeypatch):
    """The modules and the search path of one test are no other's."""
    monkeypatch.setattr(sys, 'path', list(sys.path))
    before = set(sys.modules)
    yield
    for name in [name for name in sys.modules if name not in before and name.startswith('own_')]:
        del sys.modules[name]


def config(project, module: str, text: str | None) -> str:
    if text is not None:
        project.write(f'{module}.py', text)
    return str(project.write('config.py', f"{BASE}custom_imports = dict(imports=['{module}'])\n"))


def test_beside_the_config_whatever_the_current_folder(project, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    cfg = load_config(config(project, 'own_part', 'VALUE = 1\n'))
    assert sys.modules['own_part'].VALUE == 1
    assert list(custom_code(cfg)) == ['own_part']


def test_in_the_current_folder(project, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'own_here.py').write_text('VALUE = 2\n')
    load_config(config(project, 'own_here', None))
    assert sys.modules['own_here'].VALUE == 2


@pytest.mark.parametrize(
    ('text', 'words'),
    [
        (None, r"imports 'own_bad'.*no own_bad\.py in .*my_project"),
        ('import no_such_package\n', "own_bad.*ModuleNotFoundError: No module named 'no_such_package'"),
        ('def f(:\n', 'own_bad.*SyntaxError.*own_bad.py, line 1'),
        ('from mmlt.registry import NOTHING\n', 'own_bad.*ImportError.*NOTHING'),
        ('1 / 0\n', 'own_bad.*ZeroDivisionError: division by zero'),
        (
            'from mmlt.registry import MODELS\n@MODELS.register_module()\nclass FocalLoss: pass\n',
            'own_bad.*FocalLoss is already registered',
        ),
    ],
    ids=['missing', 'dependency', 'syntax', 'name', 'error', 'taken part'],
)
def test_a_failure_tells_its_own_cause(project, text, words):
    with pytest.raises(UserError, match=words):
        load_config(config(project, 'own_bad', text))


def test_a_name_that_is_taken_is_refused(project):
    with pytest.raises(UserError, match=r'config\.py means .*json\.py.* but .*json.__init__\.py has that name'):
        load_config(config(project, 'json', 'VALUE = 3\n'))


@pytest.mark.parametrize('value', ['dict(imports=3)', 'dict(imports=[1])', '3'])
def test_another_shape_is_refused(project, value):
    path = project.write('config.py', f'{BASE}custom_imports = {value}\n')
    with pytest.raises(UserError, match=r"must be dict\(imports=\['a_module'\]\)"):
        load_config(path)


def test_other_code_is_another_outcome(project):
    cfg = load_config(config(project, 'own_text', 'VALUE = 1\n'))
    before = custom_code(cfg)
    project.write('own_text.py', 'VALUE = 2\n')
    assert before != custom_code(cfg)
    assert custom_code(load_config(project.write('bare.py', BASE))) == {}


@pytest.mark.slow
def test_the_tool_says_it_in_one_sentence(project, tmp_path):
    path = config(project, 'own_bad', 'import no_such_package\n')
    out, err = project.run('mmlt/tools/train.py', path, code=1, folder=tmp_path)
    assert 'Traceback' not in out + err
    assert err.strip().splitlines()[-1].startswith('error: ') and 'no_such_package' in err
