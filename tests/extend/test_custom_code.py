"""`custom_imports`: found beside the config, told apart, part of the outcome."""

import importlib
import sys
from modulefinder import ModuleFinder

import pytest

from mmlt.config.custom_code import custom_code
from mmlt.config.load import load_config
from mmlt.config.own_modules import own_sources
from mmlt.engine.stages import Stage
from mmlt.errors import UserError

BASE = "_base_ = ['../mmlt/configs/ce/resnet8_digitslt.py']\n"


@pytest.fixture(autouse=True)
def fresh_imports(monkeypatch):
    """The modules and the search path of one test are no other's."""
    monkeypatch.setattr(sys, 'path', list(sys.path))
    yield
    forget()


def forget() -> None:
    """The user's modules are not imported, as in a new process."""
    for name in [name for name in sys.modules if name.startswith('own_')]:
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


FILES = {
    'own_text.py': 'import json\nimport torch\nimport own_helper\nfrom mmlt.registry import MODELS\n'
    'def late():\n    import own_late\n    __import__("own_named")\n',
    'own_helper.py': 'from own_pack.sub import VALUE\n',
    'own_late.py': 'VALUE = 1\n',
    'own_named.py': 'VALUE = 1\n',
    'own_pack/__init__.py': '',
    'own_pack/losses.py': 'from . import heads\nfrom .sub.deep import VALUE\n',
    'own_pack/heads.py': 'VALUE = 1\n',
    'own_pack/unused.py': 'VALUE = 1\n',
    'own_pack/sub/__init__.py': 'from ..losses import heads\nVALUE = heads.VALUE\n',
    'own_pack/sub/deep.py': 'from importlib import import_module\nimport_module("..fetched", __package__)\nVALUE = 1\n',
    'own_pack/fetched.py': 'VALUE = 1\n',
    'own_all/__init__.py': 'import importlib, pkgutil\n'
    'for one in pkgutil.iter_modules(__path__):\n    importlib.import_module(f"own_all.{one.name}")\n',
    'own_all/losses.py': 'VALUE = 1\n',
    'own_all/notes/more.py': 'VALUE = 1\n',
    'own_all/.old/my-script.py': 'VALUE = 1\n',
    'own_unused.py': 'VALUE = 1\n',
}
UNUSED = {'own_unused.py', 'own_pack/unused.py', 'own_all/.old/my-script.py'}


@pytest.fixture
def several(project):
    """A config whose modules import others of the user's, in the ways that there are."""
    for name, text in FILES.items():
        project.write(name, text)
    return project.write('config.py', f"{BASE}custom_imports = dict(imports=['own_text', 'own_all'])\n")


def dotted(name: str) -> str:
    return name.removesuffix('.py').replace('/', '.').removesuffix('.__init__')


def test_the_code_of_a_run_is_all_that_its_modules_import_of_the_users_own(project, several):
    cfg = load_config(several)
    before = custom_code(cfg)
    forget()
    assert set(before) == {dotted(name) for name in FILES.keys() - UNUSED}
    for name, text in FILES.items():
        project.write(name, f'{text}# edited\n')
        after = custom_code(cfg)
        changed = {key for key in before if after[key] != before[key]}
        assert changed == ({dotted(name)} - {dotted(unused) for unused in UNUSED}) and after.keys() == before.keys()
        project.write(name, text)
    assert custom_code(load_config(several)) == before
    assert custom_code(load_config(project.write('bare.py', BASE))) == {}


def test_the_modules_found_are_those_of_the_standard_library(project, several, monkeypatch):
    monkeypatch.syspath_prepend(project.folder)
    finder = ModuleFinder(path=[str(project.folder)])
    finder.run_script(str(project.folder / 'own_text.py'))
    theirs = {name for name in finder.modules if name.startswith('own_')}
    mine = own_sources(['own_text']).keys()
    assert theirs <= mine and len(theirs) == 7
    assert mine - theirs == {'own_text', 'own_named', 'own_pack.fetched'}  # imported by a text; the script is __main__ there
    assert not any(name.startswith('own_') for name in sys.modules), 'nothing is imported for it'


def test_what_was_imported_before_decides_nothing(project, several):
    before = custom_code(load_config(several))
    forget()
    other = load_config(config(project, 'own_unused', 'import own_helper\n'))
    several = project.write('config.py', f"{BASE}custom_imports = dict(imports=['own_text', 'own_all'])\n")
    assert set(custom_code(other)) < set(before) | {'own_unused'}
    assert custom_code(load_config(several)) == before


def test_seeds_of_one_command_compute_with_the_code_that_was_read(project, several, monkeypatch):
    module, hashes = importlib.import_module('mmlt.apis.train'), []

    def run_stage(stage: Stage, **_: object) -> dict:
        hashes.append((stage.seed, stage.outcome['custom_code']))
        project.write('own_helper.py', 'raise SystemExit\n')
        return {}

    monkeypatch.setattr(module, 'run_stage', run_stage)
    monkeypatch.setattr(module, 'Results', dict)
    before = custom_code(load_config(several))
    module.train_seeds(several, [3, 5])
    assert hashes == [(3, before), (5, before)]
    with pytest.raises(UserError, match='start a new process'):
        module.train_seeds(several, [3])


@pytest.mark.parametrize('name', ['own_text.py', 'own_helper.py', 'own_pack/heads.py', 'own_all/losses.py'])
def test_code_that_changes_in_the_midst_of_a_process_is_refused(project, several, name):
    cfg = Stage(several).cfg
    before = custom_code(cfg)
    project.write(name, f'{FILES[name]}# edited\n')
    with pytest.raises(UserError, match=f'{name}, which config.py imports .* has changed .*: start a new process'):
        Stage(several)
    assert custom_code(cfg) == before, 'a run that is under way goes on with what it has imported'
    project.write(name, FILES[name])
    assert custom_code(Stage(several).cfg) == before


def test_of_an_installed_package_all_its_own_sources_count_and_of_a_neighbour_the_named_one(project, monkeypatch):
    project.write('site-packages/own_installed/__init__.py', 'from . import part\nimport own_beside\nimport torch\n')
    project.write('site-packages/own_installed/part.py', '')
    project.write('site-packages/own_beside.py', '')
    monkeypatch.syspath_prepend(project.folder / 'site-packages')
    assert list(own_sources(['own_installed'])) == ['own_installed', 'own_installed.part']
    assert list(own_sources(['mmpretrain.models'])) == ['mmpretrain.models']


@pytest.mark.slow
def test_the_tool_says_it_in_one_sentence(project, tmp_path):
    path = config(project, 'own_bad', 'import no_such_package\n')
    out, err = project.run('mmlt/tools/train.py', path, code=1, folder=tmp_path)
    assert 'Traceback' not in out + err
    assert err.strip().splitlines()[-1].startswith('error: ') and 'no_such_package' in err
