"""What all tests share: the device, the command line, and what is made once for all of them."""

import fcntl
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

# Tests hold what a run computed against tensors on the CPU; before torch is imported, and for the commands they start.
if not os.environ.get('MMLT_TEST_GPU'):
    os.environ['CUDA_VISIBLE_DEVICES'] = ''

from commands import CommandLine, Done
from commands import call as call_tool


@pytest.fixture
def run(tmp_path) -> Iterator[CommandLine]:
    """Tools run in an empty folder: `run('train.py', CONFIG)` here, `run.start('train.py', CONFIG)` in a process of its own."""
    line = CommandLine(tmp_path)
    yield line
    line.close()


@pytest.fixture
def call(tmp_path, monkeypatch) -> Callable[..., Done]:
    """A tool run in this process, in an empty folder that is the test's own current one: `call('train', CONFIG)`."""
    monkeypatch.chdir(tmp_path)
    return call_tool


@pytest.fixture(scope='module')
def photo_folders(tmp_path_factory) -> Path:
    """Two class folders with four photos of noise each."""
    import numpy as np
    from PIL import Image

    root, draws = tmp_path_factory.mktemp('photos'), np.random.default_rng(0)
    for name in ('ant', 'bee'):
        (root / name).mkdir()
        for place in range(4):
            Image.fromarray(draws.integers(0, 256, (32, 44, 3), dtype=np.uint8)).save(root / name / f'{place}.png')
    return root


@pytest.fixture(scope='session')
def once(tmp_path_factory) -> Callable[[str, Callable[[Path], object]], Path]:
    """Make something once for all tests, in all their processes: `once(name, make)` gives the folder that `make` filled.

    Tests read it, and copy what they change. `name` says what it is made of: the same name is the same folder.
    """
    root = tmp_path_factory.getbasetemp()
    root = (root.parent if 'PYTEST_XDIST_WORKER' in os.environ else root) / 'once'
    root.mkdir(exist_ok=True)

    def made(name: str, make: Callable[[Path], object]) -> Path:
        with open(root / f'{name}.lock', 'w') as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            folder, unfinished = root / name, root / f'{name}.unfinished'
            if not folder.exists():
                unfinished.mkdir()  # one that failed stays, and fails each test that asks again
                make(unfinished)
                unfinished.rename(folder)
        return folder

    return made
