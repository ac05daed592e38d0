"""A user's own Python files: what a config's `custom_imports` names, found beside the config."""

import importlib
import sys
from pathlib import Path

from mmengine.config import Config

from mmlt.errors import UserError
from mmlt.files import sha256_of
from mmlt.registry import DATA_SAMPLERS, DATASETS, HOOKS, METRICS, MODELS, TRANSFORMS

REGISTRIES = (MODELS, DATASETS, DATA_SAMPLERS, TRANSFORMS, METRICS, HOOKS)


def import_custom_code(cfg: Config, path: Path) -> None:
    """Import the modules of `custom_imports.imports`, so that their parts are registered.

    They are looked for in the installed packages, in the config's folder, then in the current one.

    Args:
        cfg: the config.
        path: its file.

    Raises:
        UserError: a module is not there or does not run (its own error is told), or another of its name was taken.
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


def custom_code(cfg: Config) -> dict[str, str]:
    """SHA-256 of the file of each module in `custom_imports`: other code gives another outcome."""
    files = {name: getattr(sys.modules.get(name), '__file__', None) for name in _module_names(cfg, Path('the config'))}
    return {name: sha256_of(file) for name, file in files.items() if file}


def _module_names(cfg: Config, path: Path) -> list[str]:
    """The modules, whether `custom_imports` is a dict with `imports` (a list or one name) or a list."""
    custom = cfg.get('custom_imports') or []
    names = custom.get('imports', []) if isinstance(custom, dict) else custom
    names = [names] if isinstance(names, str) else names
    if not isinstance(names, (list, tuple)) or not all(isinstance(name, str) for name in names):
        raise UserError(f"custom_imports in {path} must be dict(imports=['a_module']), not {custom!r}.")
    return list(names)
