"""The rooms of the house: who may import whom, and who may touch MMEngine's private attributes."""

import ast
import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
GROUND = {'arguments', 'batch', 'draw', 'errors', 'files', 'plain', 'priors', 'registry', 'schema', 'tensors'}
ORDER = ('ground', 'config', 'datasets', 'evaluation', 'models', 'detection', 'engine', 'analysis', 'apis')
# Modules that import by a text: the registries their parts, a config a user's own files, and backbones of other packages
# the adapters for their package.
IMPORT_BY_NAME = {'mmlt.registry', 'mmlt.config.custom_code', 'mmlt.models.backbones.segments'}
COMPAT = 'mmlt/engine/mmengine_compat.py'


# Imports


def modules_of(root: Path, package: str = 'mmlt') -> dict[str, Path]:
    """Dotted name -> file of every module below `root / package`; a package stands for its `__init__.py`."""
    paths = (path.relative_to(root).with_suffix('') for path in sorted((root / package).rglob('*.py')))
    return {'.'.join(path.parts).removesuffix('.__init__'): root / f'{path}.py' for path in paths}


def imports_of(name: str, path: Path, modules: dict[str, Path]) -> set[str]:
    """The modules of the house that `name` imports anywhere in its text, with each `__init__` that runs on the way.

    The packages that `name` lies in are left out where they are only passed through: they run before it in any case.
    """
    parents = name.split('.') if path.name == '__init__.py' else name.split('.')[:-1]
    named = set()
    for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
        if isinstance(node, ast.Import):
            named |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = parents[: len(parents) - node.level + 1] if node.level else []
            base = '.'.join([*base, *([node.module] if node.module else [])])
            for alias in node.names:
                named.add(f'{base}.{alias.name}' if f'{base}.{alias.name}' in modules else base)
    through = {'.'.join(one.split('.')[:end]) for one in named for end in range(1, one.count('.') + 1)}
    own = {'.'.join(parents[:end]) for end in range(1, len(parents) + 1)}
    return ((named | (through - own)) & modules.keys()) - {name}


def graph_of(root: Path) -> dict[str, set[str]]:
    """Module -> modules that it imports."""
    modules = modules_of(root)
    return {name: imports_of(name, path, modules) for name, path in modules.items()}


def room_of(name: str, root: Path) -> str:
    """The room of a module: its folder below `mmlt`, or the ground."""
    parts = name.split('.')
    return parts[1] if len(parts) > 1 and (root / 'mmlt' / parts[1]).is_dir() else 'ground'


def upward(graph: dict[str, set[str]], root: Path) -> list[str]:
    """The imports that lead to a room further on in the order."""
    place = {room: number for number, room in enumerate(ORDER)}
    return [
        f'{name} imports {other}'
        for name, others in sorted(graph.items())
        for other in sorted(others)
        if place[room_of(other, root)] > place[room_of(name, root)]
    ]


def circle(graph: dict[str, set[str]]) -> list[str] | None:
    """Modules that import each other in a circle, if there are any."""
    done: set[str] = set()

    def visit(name: str, way: list[str]) -> list[str] | None:
        if name in way:
            return [*way[way.index(name) :], name]
        if name in done:
            return None
        found = next((found for other in sorted(graph[name]) if (found := visit(other, [*way, name]))), None)
        done.add(name)
        return found

    return next((found for name in sorted(graph) if (found := visit(name, []))), None)


@pytest.fixture(scope='module')
def graph() -> dict[str, set[str]]:
    """Of the repository."""
    return graph_of(ROOT)


def test_every_room_and_every_module_of_the_ground_is_known():
    inside = {path.name for path in (ROOT / 'mmlt').iterdir() if path.is_dir() and any(path.glob('*.py'))}
    assert inside <= set(ORDER)
    assert {path.stem for path in (ROOT / 'mmlt').glob('*.py')} == GROUND | {'__init__'}


def test_imports_run_downwards(graph):
    assert upward(graph, ROOT) == []


def test_no_circle(graph):
    assert circle(graph) is None


def test_the_package_knows_neither_tools_nor_benchmarks_nor_tests():
    outside = {**modules_of(ROOT, 'tools'), **modules_of(ROOT, 'benchmarks'), **modules_of(ROOT, 'tests')}
    outside |= dict.fromkeys(('tools', 'benchmarks', 'tests'))
    found = {name: imports_of(name, path, outside) for name, path in modules_of(ROOT).items()}
    assert {name: others for name, others in found.items() if others} == {}


def test_three_modules_alone_import_by_a_text():
    modules = modules_of(ROOT)
    trees = {name: ast.parse(path.read_text(encoding='utf-8')) for name, path in modules.items()}
    by_name = {name for name, tree in trees.items() if {'import_module', '__import__'} & set(attributes_and_names(tree))}
    assert by_name == IMPORT_BY_NAME
    for name in by_name - {'mmlt.registry'}:  # whose texts lead upwards: a part is imported when a config first names it
        texts = {node.value for node in ast.walk(trees[name]) if isinstance(node, ast.Constant)} & modules.keys()
        assert {room_of(text, ROOT) for text in texts} <= {room_of(name, ROOT)}


def attributes_and_names(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.alias):
            yield node.name


HOUSE = {
    'mmlt/__init__.py': '',
    'mmlt/errors.py': '',
    'mmlt/models/__init__.py': 'from mmlt.models.head import Head',
    'mmlt/models/head.py': 'from ..errors import UserError',
    'mmlt/engine/__init__.py': 'from mmlt.engine.runner import Runner',
    'mmlt/engine/runner.py': 'from mmlt.models import Head\nfrom .device import get_device',
    'mmlt/engine/device.py': '',
}


@pytest.mark.parametrize(
    ('file', 'text', 'found', 'in_circle'),
    [
        ('mmlt/engine/device.py', '', [], False),
        ('mmlt/engine/device.py', 'from mmlt.models.head import Head', [], False),
        ('mmlt/engine/device.py', 'from mmlt.engine.runner import Runner', [], True),
        ('mmlt/engine/device.py', 'if TYPE_CHECKING:\n    from mmlt.engine import Runner', [], True),
        ('mmlt/models/head.py', 'def f():\n    import mmlt.engine.runner as r', ['mmlt.engine', 'mmlt.engine.runner'], True),
        # The device itself imports nothing, but the package's __init__ runs on the way to it.
        ('mmlt/models/head.py', 'from mmlt.engine.device import x', ['mmlt.engine', 'mmlt.engine.device'], True),
        ('mmlt/errors.py', 'from .models.head import Head', ['mmlt.models', 'mmlt.models.head'], True),
    ],
)
def test_what_counts_as_an_import(file, text, found, in_circle, tmp_path):
    for name, content in {**HOUSE, file: text}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    house = graph_of(tmp_path)
    module = file.removesuffix('.py').replace('/', '.')
    assert upward(house, tmp_path) == [f'{module} imports {other}' for other in found]
    assert bool(circle(house)) == in_circle


# MMEngine's private attributes


def is_private(name: str) -> bool:
    return name.startswith('_') and not name.startswith('__') and name != '_'


class Classes:
    """The classes of some files, their bases by name, and the private names of each.

    Args:
        paths: the files.
    """

    def __init__(self, paths: list[Path]) -> None:
        self.bases: dict[str, set[str]] = {}
        self.private: dict[str, set[str]] = {}
        for path in paths:
            for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
                if isinstance(node, ast.ClassDef):
                    self.bases.setdefault(node.name, set()).update(ast.unparse(base).split('.')[-1] for base in node.bases)
                    self.private.setdefault(node.name, set()).update(filter(is_private, self.names_in(node)))

    @staticmethod
    def names_in(node: ast.ClassDef) -> Iterator[str]:
        """What a class defines: methods, names in its body, attributes that it gives to `self`."""
        for inner in ast.walk(node):
            if isinstance(inner, ast.FunctionDef):
                yield inner.name
            elif isinstance(inner, ast.Attribute) and isinstance(inner.ctx, ast.Store):
                yield inner.attr
        for inner in node.body:
            if isinstance(inner, ast.AnnAssign) and isinstance(inner.target, ast.Name):
                yield inner.target.id
            elif isinstance(inner, ast.Assign):
                yield from (target.id for target in inner.targets if isinstance(target, ast.Name))

    def inherited(self, name: str, seen: tuple[str, ...] = ()) -> set[str]:
        """Private names of a class and of all its bases."""
        if name in seen:
            return set()
        found = set(self.private.get(name, ()))
        return found.union(*(self.inherited(base, (*seen, name)) for base in self.bases.get(name, ())))


def touched(path: Path, mmengine: Classes, house: Classes) -> list[str]:
    """Private names of MMEngine that a file reads, sets, overrides or names in a text.

    On `self` and `super()` those of the class's own bases count, on anything else those of any class of MMEngine that the
    file does not define itself.
    """
    tree = ast.parse(path.read_text(encoding='utf-8'))
    foreign = set().union(*mmengine.private.values())
    own = {name for node in ast.walk(tree) if isinstance(node, ast.ClassDef) for name in Classes.names_in(node)}
    inside: dict[ast.AST, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            inside |= dict.fromkeys(ast.walk(node), node.name)
    found = set()
    for node in ast.walk(tree):
        theirs = ancestors_private(inside[node], mmengine, house) if node in inside else set()
        if isinstance(node, ast.Attribute):
            on = ast.unparse(node.value)
            if node.attr in (theirs if on in ('self', 'cls', 'super()') else foreign - own):
                found.add(f'{node.lineno}: {on}.{node.attr}')
        elif isinstance(node, ast.FunctionDef) and node.name in theirs:
            found.add(f'{node.lineno}: def {node.name}')
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ('getattr', 'setattr', 'hasattr', 'delattr'):
            name = node.args[1].value if isinstance(node.args[1], ast.Constant) else ''
            if name in foreign:
                found.add(f'{node.lineno}: {ast.unparse(node)}')
    return sorted(found)


def ancestors_private(name: str, mmengine: Classes, house: Classes, seen: tuple[str, ...] = ()) -> set[str]:
    """Private names that a class of the house inherits from MMEngine, through other classes of the house or not."""
    found = set()
    for base in house.bases.get(name, set()) - {*seen, name}:
        inner = ancestors_private(base, mmengine, house, (*seen, name)) if base in house.bases else set()
        found |= inner | (set() if inner else mmengine.inherited(base))
    return found


@pytest.fixture(scope='module')
def mmengine() -> Classes:
    """The classes of the MMEngine that is installed."""
    folder = Path(importlib.util.find_spec('mmengine').origin).parent
    return Classes(sorted(folder.rglob('*.py')))


def test_one_file_alone_touches_private_attributes_of_mmengine(mmengine):
    paths = [path for room in ('mmlt', 'tools', 'benchmarks') for path in sorted((ROOT / room).rglob('*.py'))]
    house = Classes(paths)
    found = {str(path.relative_to(ROOT)): touched(path, mmengine, house) for path in paths}
    assert found.pop(COMPAT)
    assert {file: lines for file, lines in found.items() if lines} == {}


@pytest.mark.parametrize(
    ('text', 'lines'),
    [
        ('loop = runner._val_loop', ['1: runner._val_loop']),
        ('base = Config._get_base_files(file)', ['1: Config._get_base_files']),
        ("loop = getattr(runner, '_val_loop', None)", ["1: getattr(runner, '_val_loop', None)"]),
        ('class A(Runner):\n    def f(self):\n        return self._log_dir', ['3: self._log_dir']),
        ('class A(Runner):\n    def _log_env(self, env_cfg):\n        pass', ['2: def _log_env']),
        ('class A(B):\n    def f(self):\n        self._resume = True\nclass B(Runner):\n    pass', ['3: self._resume']),
        ('class A(Registry):\n    def f(self):\n        return super()._imported', ['3: super()._imported']),
        ('class A(Runner):\n    def f(self):\n        self._my_own = self.loop\n        return self._my_own', []),
        ('class A:\n    def f(self, other):\n        self._log_dir = other._log_dir', []),
        ('batch = batch._replace(images=images)', []),
    ],
)
def test_what_counts_as_touching(text, lines, mmengine, tmp_path):
    path = tmp_path / 'module.py'
    path.write_text(text)
    assert touched(path, mmengine, Classes([path])) == lines
