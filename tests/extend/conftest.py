"""A folder as a user has it, beside the clone."""

from pathlib import Path

import pytest
import torch
from commands import ROOT, call


class Project:
    """A folder `my_project` beside `mmlt`, with files and commands.

    Attributes:
        folder: the folder.
    """

    def __init__(self, parent: Path) -> None:
        (parent / 'mmlt').symlink_to(ROOT)
        self.folder = parent / 'my_project'
        self.folder.mkdir()

    def write(self, name: str, text: str) -> Path:
        """Write a file of the user's."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding='utf-8')
        return path

    def run(self, *command: object, code: int = 0, folder: Path | None = None) -> tuple[str, str]:
        """Standard output and error of a script and its arguments, run in this process; the exit code must be `code`."""
        folder, (script, *args) = folder or self.folder, command
        done = call(folder / script, *args, folder=folder)
        assert done.code == code, f'{command}: exit code {done.code}\n{done.out}\n{done.err}'
        return done.out, done.err


@pytest.fixture
def project(tmp_path) -> Project:
    """An empty project."""
    return Project(tmp_path)


@pytest.fixture
def one_thread():
    """Small models are no faster on several threads, and the machine is shared."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
