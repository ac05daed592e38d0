"""The command line, driven as a user drives it."""

import contextlib
import io
import json
import os
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TINY = ['train_cfg.max_epochs=3', 'param_scheduler.0.milestones=[2]']


class CommandLine:
    """Runs tools in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def start(self, tool: str, *args: object) -> subprocess.Popen:
        env = {**os.environ, 'OMP_NUM_THREADS': '1', 'COLUMNS': '200'}
        return subprocess.Popen(
            [sys.executable, str(ROOT / 'tools' / tool), *map(str, args)],
            cwd=self.folder,
            env=env,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def __call__(self, tool: str, *args: object, code: int = 0) -> tuple[str, str]:
        """Standard output and standard error; the exit code must be `code`."""
        process = self.start(tool, *args)
        out, err = process.communicate(timeout=300)
        assert process.returncode == code, f'exit code {process.returncode}\n{out}\n{err}'
        return out, err

    def train(self, config: str, *args: object, code: int = 0) -> tuple[str, str]:
        """`tools/train.py CONFIG`, three epochs of the digits."""
        options = [arg for arg in args if '=' in str(arg)]
        rest = [arg for arg in args if '=' not in str(arg)]
        return self('train.py', config, *rest, '--cfg-options', *TINY, *options, code=code)

    def results(self, pattern: str) -> dict:
        """The one results.json below work_dirs that matches."""
        (path,) = self.folder.glob(f'work_dirs/{pattern}/results.json')
        return json.loads(path.read_text())


@pytest.fixture
def run(tmp_path) -> CommandLine:
    """Tools run in an empty folder."""
    return CommandLine(tmp_path)


@pytest.fixture
def call(tmp_path, monkeypatch) -> Callable[..., tuple[int, str, str]]:
    """A tool's script run in this process, in an empty folder: exit code, standard output, standard error."""

    def run_here(tool: str, *args: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, 'argv', [f'{tool}.py', *map(str, args)])
        monkeypatch.setattr(sys, 'path', [*sys.path])
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                runpy.run_path(str(ROOT / 'tools' / f'{tool}.py'), run_name='__main__')
            except SystemExit as error:
                return error.code, out.getvalue(), err.getvalue()
        return 0, out.getvalue(), err.getvalue()

    monkeypatch.chdir(tmp_path)
    return run_here
