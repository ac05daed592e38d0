"""A user's own Python files: what a config's `custom_imports` names, found beside the config."""

import importlib
import sys
from pathlib import Path
from types import ModuleType
from weakref import WeakKeyDictionary

from mmengine.config import Config

from mmlt.config.own_modules import Source, own_sources
from mmlt.errors import UserError
from mmlt.files import sha256_of
from mmlt.registry import DATA_SAMPLERS, DATASETS, HOOKS, METRICS, MODELS, TRANSFORMS

REGISTRIES = (MODELS, DATASETS, DATA_SAMPLERS, TRANSFORMS, METRICS, HOOKS)
# The user's own modules as they were imported: by module, not by name, since one that is forgotten and imported anew is
# another.
_imported: WeakKeyDictionary[ModuleType, Source] = WeakKeyDictionary()


def import_custom_code(cfg: Config, path: Path) -> None:
    """Import the modules of `custom_imports.imports`, so that their parts are registered.

    They are looked for in the installed packages, in the config's folder, then in the current one.

    Args:
        cfg: the config.
        path: its file.

    Raises:
        UserError: a module is not there or does not run (its own error is told), another of its name was taken, or its file
            has changed since this process imported it.
    """
    folders = [path.parent.resolve(), Path.cwd()]
    for folder in folders:
        if str(folder) not in sys.path:
            sys.path.append(str(folder))  # last: a file of the user's never hides a package
    importlib.invalidate_caches()
    names = _module_names(cfg, path)
    if names:
        for registry in REGISTRIES:  # mmlt's own parts first: of two parts of one name, the user's is the one refused
            registry.import_from_location()
    before = {name: source for name, source in own_sources(names).items() if name not in sys.modules}
    for name in names:
        try:
            module = importlib.import_module(name)
        except Exception as error:
            if isinstance(error, ModuleNotFoundError) and error.name == name.split('.')[0]:
                places = ' nor in '.join(dict.fromkeys(map(str, folders)))
                raise UserError(
                    f'{path} imports {name!r} (custom_imports), but there is no {name}.py in {places}: '
                    'put it beside the config.'
                ) from error
            raise UserError(
                f'{path} imports {name!r} (custom_imports), which fails: {type(error).__name__}: {error}.'
            ) from error
        own, taken = path.parent.resolve() / f'{name}.py', getattr(module, '__file__', None)
        if own.is_file() and not (taken and own.samefile(taken)):
            raise UserError(f'{path} means {own} by {name!r} (custom_imports), but {taken} has that name: rename yours.')
    _refuse_changed(names, before, path)


def custom_code(cfg: Config) -> dict[str, str]:
    """SHA-256 of the user's own files behind `custom_imports`, by module: other code gives another outcome.

    They are the named modules' and those of the user's own that these import; of one that is imported, as it was then.
    """
    sources = own_sources(_module_names(cfg, Path('the config')), _as_imported)
    return {name: source.sha256 for name, source in sources.items()}


def _module(name: str) -> ModuleType | None:
    """A module that is imported; None of what somebody has put in a module's place."""
    found = sys.modules.get(name)
    return found if isinstance(found, ModuleType) else None


def _as_imported(name: str) -> Source | None:
    module = _module(name)
    return _imported.get(module) if module else None


def _sha256(file: Path) -> str:
    return sha256_of(file) if file.is_file() else ''


def _refuse_changed(names: list[str], before: dict[str, Source], path: Path) -> None:
    """Note the sources of modules as they are imported, and refuse those that have changed since.

    Args:
        names: of `custom_imports`.
        before: sources read before the modules were imported.
        path: the config, for the message.

    Raises:
        UserError: a file has changed since this process imported it: its old parts are still the registered ones.
    """
    for name, source in own_sources(names, lambda name: _as_imported(name) or before.get(name)).items():
        module = _module(name)
        if module and _imported.setdefault(module, source).sha256 != _sha256(source.file):
            raise UserError(
                f'{source.file}, which {path.name} imports (custom_imports), has changed since this process imported it and '
                'would go on with what it was: start a new process.'
            )


def _module_names(cfg: Config, path: Path) -> list[str]:
    """The modules, whether `custom_imports` is a dict with `imports` (a list or one name) or a list."""
    custom = cfg.get('custom_imports') or []
    names = custom.get('imports', []) if isinstance(custom, dict) else custom
    names = [names] if isinstance(names, str) else names
    if not isinstance(names, (list, tuple)) or not all(isinstance(name, str) for name in names):
        raise UserError(f"custom_imports in {path} must be dict(imports=['a_module']), not {custom!r}.")
    return list(names)
