"""What a run tells its user: a live line on a terminal, plain lines in a file, rank 0 only."""

import sys
from pathlib import Path

from mmengine.dist import is_main_process
from rich.console import Console

console = Console(soft_wrap=True, highlight=False)
_log_file: list[Path] = []


def set_log_file(path: str | Path | None) -> Path | None:
    """Copy everything said from now on into `path` (appended); give back the file used before."""
    before = _log_file.pop() if _log_file else None
    if path is not None:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        _log_file.append(Path(path))
    return before


def say(message: str, style: str | None = None) -> None:
    """Print one line, and append it to the run's log."""
    if not is_main_process():
        return
    console.print(message, style=style, markup=False)
    note(message)


def note(message: str) -> None:
    """Append one line to the run's log only."""
    if _log_file and is_main_process():
        with open(_log_file[0], 'a', encoding='utf-8') as file:
            file.write(message + '\n')


def on_terminal() -> bool:
    """Whether a person watches."""
    return console.is_terminal and sys.stdout.isatty()
