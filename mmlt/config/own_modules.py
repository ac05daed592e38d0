"""What a user's own Python modules are made of: their own files, and those of the user's that they import."""

import ast
import importlib.util
import sys
import sysconfig
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from typing import NamedTuple

from mmlt.files import sha256_of
from mmlt.registry import SCOPES

MMLT = Path(__file__).resolve().parents[1]
# Folders of what is installed, and the names that such folders have elsewhere (a user's own, another environment's).
INSTALLED = tuple(Path(sysconfig.get_path(kind)).resolve() for kind in ('stdlib', 'platstdlib', 'purelib', 'platlib'))
PACKAGES = {'site-packages', 'dist-packages'}
BY_TEXT = {'import_module', '__import__', 'import_modules_from_strings'}  # import what a text names
BY_FOLDER = {'iter_modules', 'walk_packages'}  # find what lies in a package's folder


class Source(NamedTuple):
    """A module's file.

    Attributes:
        file: the file.
        sha256: of its content; '' of a file that is gone.
        imports: dotted names that it imports, of modules or of what stands in them.
    """

    file: Path
    sha256: str
    imports: tuple[str, ...]


def own_sources(names: Iterable[str], known: Callable[[str], Source | None] = lambda name: None) -> dict[str, Source]:
    """The files of modules, and of all that these import which is the user's own too, however far down.

    They follow from the files alone, not from what a process has imported before: the same files, whichever run asks first.
    Of an installed package that is named, all that is its own counts; of MMEngine and its neighbours the named module alone.

    Args:
        names: dotted names of the modules.
        known: gives a module's source by its dotted name, where it is to be taken for what the file holds now.

    Returns:
        Sources by dotted name, sorted; modules without a file are left out.
    """
    names = list(names)
    ways = {'.'.join(parts[:depth]) for parts in (name.split('.') for name in names) for depth in range(1, len(parts))}
    packages = {name.split('.')[0] for name in names} - set(SCOPES)
    found: dict[str, Source] = {}
    seen: set[str] = set()
    waiting = names[:]
    while waiting:
        for name, spec in _chain(waiting.pop()):
            file = Path(spec.origin) if spec.has_location and spec.origin else None
            own = file is None or _is_own(name, file, packages)
            if not own and name not in names and name not in ways:
                break  # what lies inside it is not own either
            if name in seen:
                continue
            seen.add(name)
            if file and (own or name in names):
                package = name if spec.submodule_search_locations is not None else name.rpartition('.')[0]
                found[name] = known(name) or _source(file, package)
                waiting += found[name].imports if own else ()
    return dict(sorted(found.items()))


def _is_own(name: str, file: Path, packages: set[str]) -> bool:
    """Whether a module is the user's, or of an installed package that the config names."""
    place = file.resolve()
    if place.is_relative_to(MMLT):
        return False
    installed = PACKAGES & set(place.parts) or any(place.is_relative_to(folder) for folder in INSTALLED)
    return not installed or name.split('.')[0] in packages


def _chain(name: str) -> Iterator[tuple[str, ModuleSpec]]:
    """A module's packages from the outermost to itself, as far as they are there; nothing is imported for it."""
    spec, full = None, ''
    for part in name.split('.'):
        full = f'{full}.{part}' if full else part
        if (loaded := getattr(sys.modules.get(full), '__spec__', None)) is not None:
            spec = loaded
        elif '.' in full:
            # By its last part, since a folder without __init__.py asks for its package among the imported ones.
            spec = PathFinder.find_spec(part, list(spec.submodule_search_locations or ()))
        elif full in sys.stdlib_module_names or full in sys.modules:  # without a spec: __main__ in most cases
            return
        else:
            try:
                spec = importlib.util.find_spec(full)
            except (ImportError, ValueError):
                return
        if spec is None:
            return
        yield full, spec


def _source(file: Path, package: str) -> Source:
    """A module's file as it is now; a package that imports by names made up imports all that it holds."""
    if not file.is_file():
        return Source(file, '', ())
    sha256 = sha256_of(file)
    names, made_up = _read(package, file.read_bytes()) if file.suffix == '.py' else ((), False)
    if made_up and package:
        inside = sorted(path.relative_to(file.parent).with_suffix('').parts for path in file.parent.rglob('*.py'))
        names += tuple('.'.join([package, *parts]).removesuffix('.__init__') for parts in inside if _is_name(parts))
    return Source(file, sha256, names)


def _is_name(parts: tuple[str, ...]) -> bool:
    """Whether a path is one of a module: no hidden folder, no script called my-script.py."""
    return all(part.isidentifier() for part in parts)


@lru_cache(maxsize=4096)
def _read(package: str, text: bytes) -> tuple[tuple[str, ...], bool]:
    """Names that a file's text imports, and whether it imports others by texts made up while it runs."""
    try:
        nodes = list(ast.walk(ast.parse(text)))
    except (SyntaxError, ValueError):  # told where it is imported
        return (), False
    names: list[str] = []
    made_up = False
    for node in nodes:
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = _absolute('.' * node.level + (node.module or ''), package)
            names += [base, *(f'{base}.{alias.name}' for alias in node.names if alias.name != '*')] if base else []
        elif isinstance(node, ast.Call):
            called = getattr(node.func, 'attr', getattr(node.func, 'id', None))
            first = node.args[0] if node.args else None
            if called in BY_TEXT and isinstance(first, ast.Constant) and isinstance(first.value, str):
                names += filter(None, [_absolute(first.value, package)])
            else:
                made_up = made_up or called in BY_TEXT | BY_FOLDER
    return tuple(dict.fromkeys(names)), made_up


def _absolute(name: str, package: str) -> str:
    """The dotted name meant by `..name` in a module of a package; '' where it leads out of it."""
    level = len(name) - len(name.lstrip('.'))
    if not level:
        return name
    kept = package.split('.')[: len(package.split('.')) - level + 1]
    return '.'.join([*kept, *filter(None, [name[level:]])]) if package and kept else ''
