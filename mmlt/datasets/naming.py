"""Folders and class names as a config gives them: a text is a path, names are texts, each once."""

import os
from collections.abc import Sequence
from pathlib import Path

from mmlt.errors import UserError, brief


def own_path(given: str | Path, what: str) -> Path:
    """A path from a config, `~` expanded; one with backslashes is read as Windows writes it where only that is there.

    Args:
        given: the path.
        what: the argument's name, for messages.

    Raises:
        UserError: it is no path.
    """
    if not isinstance(given, (str, Path)) or not str(given) or '\0' in str(given):
        raise UserError(f'{what} must be a path, not {brief(repr(given))}.')
    text = os.path.expanduser(given)
    return Path(text if os.path.lexists(text) else with_slashes(text, ''))


def with_slashes(text: str, root: str | Path) -> str:
    """`text` with `/` for its backslashes, unless a file below `root` has that very name."""
    return text.replace('\\', '/') if '\\' in text and os.sep == '/' and not os.path.lexists(Path(root, text)) else text


def existing_folder(data_root: str | Path, what: str) -> Path:
    """`data_root` as a path.

    Raises:
        UserError: there is no such folder.
    """
    root = own_path(data_root, 'data_root')
    if not root.is_dir():
        said = f'{root} is a file, not the folder' if root.is_file() else f'there is no folder {root}'
        raise UserError(f'{said} with the images of {brief(what)}: correct data_root.')
    return root


def class_names(given: Sequence[str] | str | Path, root: Path) -> list[str]:
    """The `classes` of a config: a list of names, or the path of a text file with a name a line.

    Args:
        given: the names or the path; a relative one is looked for as it stands, then in `root`.
        root: folder of the data set.

    Raises:
        UserError: no such file, or what `check_names` refuses.
    """
    if isinstance(given, (str, Path)):
        return _read_names(given, root)
    if not isinstance(given, (list, tuple)):
        raise UserError(f'classes must be a list of names, not {brief(repr(given))}.')
    check_names(given, 'classes')
    return list(given)


def _read_names(given: str | Path, root: Path) -> list[str]:
    path = own_path(given, 'classes')
    file = next((file for file in (path, root / path) if file.is_file()), None)
    if file is None:
        raise UserError(
            f'classes is the text {brief(repr(str(given)))}, and there is no file of that name: give a list of names, or a '
            'file with a name a line.'
        )
    try:
        names = [line.strip() for line in file.read_text(encoding='utf-8-sig').splitlines() if line.strip()]
    except (OSError, ValueError) as error:
        raise UserError(f'the class names in {file} cannot be read ({error}): save it as UTF-8 text.') from error
    check_names(names, str(file))
    return names


def check_names(names: Sequence[str], where: str) -> None:
    """Refuse class names that no result could tell apart or hold.

    Args:
        names: of the classes.
        where: they stand, for messages.

    Raises:
        UserError: there is none, one is no text, is empty, stands twice, or is not UTF-8.
    """
    if not len(names):
        raise UserError(f'{where} names no class.')
    seen: dict[str, int] = {}
    for place, name in enumerate(names):
        if not isinstance(name, str) or not name.strip():
            raise UserError(f'{where}: class {place} must be a name (a text), not {brief(repr(name))}.')
        if name in seen:
            raise UserError(f'{where}: classes {seen[name]} and {place} are both {brief(repr(name))}: name each once.')
        check_utf8(name, f'{where}: class {place}')
        seen[name] = place


def check_utf8(name: str, what: str) -> None:
    """Refuse a name that no results file can hold.

    Raises:
        UserError: it is not UTF-8.
    """
    try:
        name.encode()
    except UnicodeEncodeError:
        raise UserError(f'{what} is called {ascii(name)}, which is not UTF-8: rename it.') from None
