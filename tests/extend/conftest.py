"""A folder as a user has it, beside the clone."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).resolve().parents[2]


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
        """Standard output and error of `python *command`; the exit code must be `code`."""
        done = subprocess.run(
            [sys.executable, *map(str, command)],
            cwd=folder or self.folder,
            env={**os.environ, 'OMP_NUM_THREADS': '1', 'COLUMNS': '200'},
            text=True,
            capture_output=True,
            timeout=600,
        )
        assert done.returncode == code, f'{command}: exit code {done.returncode}\n{done.stdout}\n{done.stderr}'
        return done.stdout, done.stderr


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
