"""Where configs are, and what they are called."""

import ast
import difflib
from pathlib import Path

from mmengine import fileio

from mmlt.errors import UserError


def config_roots() -> list[Path]:
    """Folders below which configs are looked for: the repository's, or the installed package's."""
    package = Path(__file__).resolve().parents[1]
    return [root for root in (package.parent / 'configs', package / 'configs') if root.is_dir()]


def find_config(config: str | Path) -> Path:
    """The config file meant by a path, or by a path below `configs`.

    Raises:
        UserError: there is none; configs of a similar name are given.
    """
    given = Path(config)
    tail = Path(*given.parts[1:]) if given.parts[:1] == ('configs',) else given
    candidates = [given, *(root / tail for root in config_roots())]
    for path in [*candidates, *(path.with_name(f'{path.name}.py') for path in candidates if path.name)]:
        if path.is_file():
            return path.resolve()
    known = [str(path.relative_to(root)) for root in config_roots() for path in root.glob('[!_]*/*.py')]
    near = difflib.get_close_matches(str(tail), known, n=3, cutoff=0.5)
    hint = f'; the nearest are configs/{", configs/".join(near)}' if near else ''
    raise UserError(f'there is no config {config}{hint}.')


def find_beside(path: Path, config: str) -> Path:
    """The config that `path`, or a base of it, names as `config`: seen from the folder of the file that names it.

    Raises:
        UserError: there is none, below `configs` neither.
    """

    def seen_from(file: Path) -> Path | None:
        if (local := file.parent / config).is_file():
            return local.resolve()
        return next((found for base in bases_of(file) if (found := seen_from(base))), None)

    return seen_from(path) or find_config(config)


def bases_of(path: Path, packages: bool = False) -> list[Path] | list[str]:
    """The files that a config names in `_base_`; or, as they stand there, its bases in other packages (`mmpretrain::...`)."""
    if path.suffix != '.py':
        named = fileio.load(path).get('_base_', [])
    else:
        lines = ast.parse(path.read_text(encoding='utf-8')).body
        assigned = (line for line in lines if isinstance(line, ast.Assign) and ast.unparse(line.targets[0]) == '_base_')
        line = next(assigned, None)
        named = eval(compile(ast.Expression(line.value), str(path), 'eval')) if line else []  # as MMEngine reads it
    named = [named] if isinstance(named, str) else named
    return [base for base in named if '::' in base] if packages else [path.parent / base for base in named if '::' not in base]


def check_bases(path: Path, below: tuple[Path, ...] = ()) -> None:
    """Refuse a config that is, by way of others, its own base.

    Raises:
        UserError: naming the circle.
    """
    path = path.resolve()
    if path in below:
        circle = [*below[below.index(path) :], path]
        raise UserError(f'{" takes ".join(map(str, circle))} as its base, a circle: remove one of these _base_ entries.')
    try:
        bases = bases_of(path)
    except Exception:  # told by MMEngine, which reads the files next
        return
    for base in bases:
        if base.is_file():
            check_bases(base, (*below, path))


def config_name(path: Path) -> str:
    """Path below `configs` without `.py` (`bkd/resnet32_cifar100lt`); the bare file name elsewhere."""
    for root in config_roots():
        if path.is_relative_to(root):
            return str(path.relative_to(root).with_suffix(''))
    return path.stem
